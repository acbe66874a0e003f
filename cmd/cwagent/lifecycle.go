package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/kardianos/service"
)

// A lifecycle is a run of the agent as kardianos/service wants to have one: it starts
// it and has it end. Signals are seen to elsewhere; the service manager of Windows sends
// none, but speaks to kardianos.
type lifecycle struct {
	serve func() error
	end   func() // has serve return
	asked atomic.Bool
	done  chan struct{}
	err   error // once done
}

// liveAsService runs serve until it returns, and returns its error; end is called if
// the service manager wants it to.
func liveAsService(serve func() error, end func()) error {
	l := &lifecycle{serve: serve, end: end, done: make(chan struct{})}
	s, err := service.New(l, &service.Config{Name: serviceName, Option: service.KeyValue{"RunWait": func() { <-l.done }}})
	if err != nil || runtime.GOOS == "windows" && service.Interactive() {
		return serve() // nobody is there whom kardianos would have to listen to
	}
	if err := s.Run(); err != nil {
		return err
	}
	return l.err
}

// Start implements service.Interface.
func (l *lifecycle) Start(service.Service) error {
	go func() {
		defer close(l.done)
		if l.err = l.serve(); runtime.GOOS == "windows" && !l.asked.Load() {
			fmt.Fprintln(os.Stderr, "cwagent: agent:", l.err)
			os.Exit(1) // its service manager takes a process that lives on for one that serves
		}
	}()
	return nil
}

// Stop implements service.Interface. It returns when everything has ended.
func (l *lifecycle) Stop(service.Service) error {
	l.asked.Store(true)
	l.end()
	<-l.done
	return nil
}
