package main

import (
	"io"
	"net"
	"net/http"
	"os"
)

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err.Error())
	}
	tell(outcome{"port": float64(listener.Addr().(*net.TCPAddr).Port)})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return listener
}

func echo(hog bool) workload {
	return func(_, _ int) outcome {
		listener := listen()
		if hog {
			go func() {
				for {
					sink++
				}
			}()
		}
		for {
			connection, err := listener.Accept()
			if err != nil {
				fail(err.Error())
			}
			// TCP_NODELAY is Go's default.
			go func() {
				defer connection.Close()
				buffer := make([]byte, 1024)
				for {
					read, err := connection.Read(buffer)
					if err != nil {
						return
					}
					if _, err := connection.Write(buffer[:read]); err != nil {
						return
					}
				}
			}()
		}
	}
}

func plaintext(_, _ int) outcome {
	body := []byte("Hello, World!")
	handler := http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		header := answer.Header()
		header["Content-Type"] = []string{"text/plain"}
		header["Content-Length"] = []string{"13"}
		_, _ = answer.Write(body)
	})
	fail(http.Serve(listen(), handler).Error())
	return nil
}
