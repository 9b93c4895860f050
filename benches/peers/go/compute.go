package main

import (
	"runtime"
	"sync"
	"time"
)

func yielding(goroutines int) workload {
	return func(_, n int) outcome {
		each := n / goroutines
		begun := time.Now()
		var all sync.WaitGroup
		for range goroutines {
			all.Add(1)
			go func() {
				defer all.Done()
				for range each {
					runtime.Gosched()
				}
			}()
		}
		all.Wait()
		return nsEach(begun, each*goroutines)
	}
}

const batch = 1000

func spawnJoin(_, n int) outcome { return spawn(n, batch) }

func spawnBurst(_, n int) outcome { return spawn(n, n) }

// A join gives a value, as in the other languages: each goroutine has a place for it.
func spawn(n, batch int) outcome {
	begun := time.Now()
	values := make([]int, batch)
	for range n / batch {
		var all sync.WaitGroup
		all.Add(batch)
		for i := range batch {
			go func() {
				values[i] = i
				all.Done()
			}()
		}
		all.Wait()
		sum := 0
		for _, value := range values {
			sum += value
		}
		check(sum == batch*(batch-1)/2, "sum")
	}
	return nsEach(begun, n/batch*batch)
}

func skynet(_, n int) outcome {
	begun := time.Now()
	sum := make(chan int, 1)
	go node(sum, 0, n)
	check(<-sum == n*(n-1)/2, "sum")
	return outcome{"ms": time.Since(begun).Seconds() * 1e3}
}

const children = 10

func node(parent chan<- int, first, leaves int) {
	if leaves == 1 {
		parent <- first
		return
	}
	part := leaves / children
	sums := make(chan int, children)
	for i := range children {
		go node(sums, first+i*part, part)
	}
	sum := 0
	for range children {
		sum += <-sums
	}
	parent <- sum
}

func pingPong(_, n int) outcome {
	ping, pong := make(chan struct{}), make(chan struct{})
	rounds := n / 2
	go func() {
		for range rounds + 1 {
			ping <- struct{}{}
			<-pong
		}
	}()
	<-ping
	begun := time.Now()
	for range rounds {
		pong <- struct{}{}
		<-ping
	}
	figures := nsEach(begun, rounds*2)
	pong <- struct{}{}
	return figures
}

const (
	fibOf     = 18
	fibResult = 2584
	fibSpawns = 4180
)

func forkJoin(_, n int) outcome {
	begun := time.Now()
	for range n {
		check(fib(fibOf) == fibResult, "fib")
	}
	return nsEach(begun, n*fibSpawns)
}

func fib(of int) int {
	if of < 2 {
		return of
	}
	half := make(chan int, 1)
	go func() { half <- fib(of - 1) }()
	other := fib(of - 2)
	return <-half + other
}

const (
	greenlets = 1000
	turns     = 20_000
)

var sink uint64

//go:noinline
func piece(seed uint64) uint64 {
	x := seed
	for range turns {
		x = (x * 6_364_136_223_846_793_005) ^ (x >> 29)
	}
	return x
}

func pieces(i, n int) int {
	fifty := n / (greenlets / 50)
	if i%50 == 17 {
		return fifty / 2
	}
	return fifty / 2 / 49
}

func imbalance(workers, n int) outcome {
	begun := time.Now()
	for i := range greenlets {
		for seed := range pieces(i, n) {
			sink = piece(uint64(seed))
		}
	}
	row := time.Since(begun)
	begun = time.Now()
	var all sync.WaitGroup
	all.Add(greenlets)
	for i := range greenlets {
		go func() {
			for seed := range pieces(i, n) {
				piece(uint64(seed))
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	took := time.Since(begun)
	return outcome{
		"× ideal": took.Seconds() * float64(workers) / row.Seconds(),
		"wall s":  took.Seconds(),
	}
}
