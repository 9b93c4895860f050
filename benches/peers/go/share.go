package main

import (
	"sync"
	"time"
)

// Runs body in so many goroutines and waits for all.
func crowd(goroutines int, body func()) {
	var all sync.WaitGroup
	for range goroutines {
		all.Add(1)
		go func() {
			defer all.Done()
			body()
		}()
	}
	all.Wait()
}

func lockUncontended(_, n int) outcome {
	var mutex sync.Mutex
	counter := 0
	begun := time.Now()
	for range n {
		mutex.Lock()
		counter++
		mutex.Unlock()
	}
	figures := nsEach(begun, n)
	check(counter == n, "counter")
	return figures
}

func lockContended(_, n int) outcome {
	var mutex sync.Mutex
	counter, each := 0, n/greenlets
	begun := time.Now()
	crowd(greenlets, func() {
		for range each {
			mutex.Lock()
			counter++
			mutex.Unlock()
		}
	})
	figures := nsEach(begun, each*greenlets)
	check(counter == each*greenlets, "counter")
	return figures
}

func rwlock(_, n int) outcome {
	const writesOneIn = 10
	var lock sync.RWMutex
	counter, each := 0, n/greenlets
	begun := time.Now()
	crowd(greenlets, func() {
		last := 0
		for i := range each {
			if i%writesOneIn == 0 {
				lock.Lock()
				counter++
				lock.Unlock()
			} else {
				lock.RLock()
				now := counter
				lock.RUnlock()
				check(now >= last, "counter")
				last = now
			}
		}
	})
	figures := nsEach(begun, each*greenlets)
	check(counter == (each+writesOneIn-1)/writesOneIn*greenlets, "counter")
	return figures
}

const (
	room = 1024
	// Go has no channel with room for any number: a large one, as its programmers take where they need that.
	plenty = 1 << 20
)

func messages(senders, receivers, room int) workload {
	return func(_, n int) outcome {
		channel := make(chan uint64, room)
		each := n / senders
		sent := each * senders
		begun := time.Now()
		sums := make(chan uint64, receivers)
		for range receivers {
			go func() {
				sum := uint64(0)
				for message := range channel {
					sum += message
				}
				sums <- sum
			}()
		}
		var all sync.WaitGroup
		for i := range senders {
			all.Add(1)
			go func() {
				defer all.Done()
				for message := i * each; message < (i+1)*each; message++ {
					channel <- uint64(message)
				}
			}()
		}
		all.Wait()
		close(channel)
		sum := uint64(0)
		for range receivers {
			sum += <-sums
		}
		figures := nsEach(begun, sent)
		check(sum == uint64(sent)*uint64(sent-1)/2, "sum")
		return figures
	}
}

func pingPongChannel(_, n int) outcome {
	toOther, toOne := make(chan uint64, 1), make(chan uint64, 1)
	go func() {
		for message := range toOther {
			toOne <- message + 1
		}
	}()
	play := func(rounds int) {
		for i := range uint64(rounds) {
			toOther <- i
			check(<-toOne == i+1, "answer")
		}
	}
	play(1)
	begun := time.Now()
	play(n / 2)
	figures := nsEach(begun, n/2*2)
	close(toOther)
	return figures
}

func oneshot(_, n int) outcome {
	begun := time.Now()
	for range n / batch {
		channels := make([]chan uint64, batch)
		for i := range channels {
			channels[i] = make(chan uint64, 1)
		}
		go func() {
			for i, channel := range channels {
				channel <- uint64(i)
			}
		}()
		sum := uint64(0)
		for _, channel := range channels {
			sum += <-channel
		}
		check(sum == batch*(batch-1)/2, "sum")
	}
	return nsEach(begun, n/batch*batch)
}

// Channels that have a message each, the number of the channel.
func ready(channels int) []chan uint64 {
	made := make([]chan uint64, channels)
	for i := range made {
		made[i] = make(chan uint64, 1)
		made[i] <- uint64(i)
	}
	return made
}

func select2(_, n int) outcome {
	channels := ready(2)
	a, b := channels[0], channels[1]
	begun := time.Now()
	for range n {
		select {
		case message := <-a:
			a <- message
		case message := <-b:
			b <- message
		}
	}
	return nsEach(begun, n)
}

func select8(_, n int) outcome {
	channels := ready(8)
	a, b, c, d := channels[0], channels[1], channels[2], channels[3]
	e, f, g, h := channels[4], channels[5], channels[6], channels[7]
	begun := time.Now()
	for range n {
		select {
		case message := <-a:
			a <- message
		case message := <-b:
			b <- message
		case message := <-c:
			c <- message
		case message := <-d:
			d <- message
		case message := <-e:
			e <- message
		case message := <-f:
			f <- message
		case message := <-g:
			g <- message
		case message := <-h:
			h <- message
		}
	}
	return nsEach(begun, n)
}
