// The workloads of the yardstick in Go. Usage: go-peer WORKLOAD WORKERS N; prints one line of JSON.
//
// What each workload does is said in benches/src/work, in the file of its name; here it is written as a Go programmer
// would: goroutines, channels, wait groups, net and net/http.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

type outcome map[string]float64

type workload func(workers, n int) outcome

var workloads = map[string]workload{
	"yield-2":           yielding(2),
	"yield-1000":        yielding(1000),
	"spawn-join":        spawnJoin,
	"spawn-burst":       spawnBurst,
	"skynet":            skynet,
	"ping-pong":         pingPong,
	"lock-uncontended":  lockUncontended,
	"lock-1000":         lockContended,
	"rwlock":            rwlock,
	"mpmc-1x1":          messages(1, 1, room),
	"mpmc-4x4":          messages(4, 4, room),
	"mpmc-unbounded":    messages(4, 4, plenty),
	"rendezvous":        messages(1, 1, 0),
	"ping-pong-channel": pingPongChannel,
	"oneshot":           oneshot,
	"select-2":          select2,
	"select-8":          select8,
	"fork-join":         forkJoin,
	"imbalance":         imbalance,
	"sleepers-100k":     sleepers,
	"sleepers-1m":       sleepers,
	"parked":            parked,
	"echo-1":            echo(false),
	"echo-64":           echo(false),
	"echo-1000":         echo(false),
	"echo-10000":        echo(false),
	"echo-hog":          echo(true),
	"http-64":           plaintext,
	"http-1000":         plaintext,
}

func main() {
	if len(os.Args) != 4 {
		fail("usage: go-peer WORKLOAD WORKERS N")
	}
	run, known := workloads[os.Args[1]]
	if !known {
		fail("no workload " + os.Args[1])
	}
	workers, n := number(os.Args[2]), number(os.Args[3])
	runtime.GOMAXPROCS(workers)
	tell(run(workers, n))
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fail(err.Error())
	}
	return n
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func check(ok bool, what string) {
	if !ok {
		fail("wrong result: " + what)
	}
}

func tell(figures outcome) {
	line, err := json.Marshal(figures)
	if err != nil {
		fail(err.Error())
	}
	fmt.Println(string(line))
}

// Nanoseconds since begun for each of count.
func nsEach(begun time.Time, count int) outcome {
	return outcome{"ns": float64(time.Since(begun).Nanoseconds()) / float64(count)}
}
