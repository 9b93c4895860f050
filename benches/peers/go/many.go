package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err.Error())
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// Bytes this process holds: resident, and in page tables.
func memory() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail(err.Error())
	}
	sum := 0
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && (fields[0] == "VmRSS:" || fields[0] == "VmPTE:") {
			kb, _ := strconv.Atoi(fields[1])
			sum += kb * 1024
		}
	}
	return float64(sum)
}

func sleepers(_, n int) outcome {
	shortest := time.Second
	if n < 10_000 {
		shortest = 20 * time.Millisecond
	}
	night := func(i int) time.Duration {
		return shortest + time.Duration(2*float64(shortest)*float64(i*7919%n)/float64(n))
	}
	late := make([]time.Duration, n)
	begun, used := time.Now(), cpu()
	var all sync.WaitGroup
	all.Add(n)
	for i := range n {
		go func() {
			layDown := time.Now()
			time.Sleep(night(i))
			late[i] = max(0, time.Since(layDown)-night(i))
			all.Done()
		}()
	}
	all.Wait()
	figures := outcome{"wall s": time.Since(begun).Seconds(), "CPU s": cpu() - used}
	slices.Sort(late)
	figures["late p99 ms"] = late[(n*99+99)/100-1].Seconds() * 1e3
	return figures
}

func parked(_, n int) outcome {
	var arrived atomic.Int64
	open := make(chan struct{})
	var all sync.WaitGroup
	all.Add(n)
	before, begun := memory(), time.Now()
	for range n {
		go func() {
			arrived.Add(1)
			<-open
			all.Done()
		}()
	}
	for arrived.Load() != int64(n) {
		time.Sleep(time.Millisecond)
	}
	created := time.Since(begun)
	time.Sleep(50 * time.Millisecond)
	figures := outcome{"bytes": max(0, memory()-before) / float64(n), "create s": created.Seconds()}
	close(open)
	all.Wait()
	return figures
}
