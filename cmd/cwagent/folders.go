package main

import (
	"context"
	"sync"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/watch"
)

// folders are those that are watched. Each costs one of the 128 inotify instances
// that a user usually may have, so all who want the same one share it.
type folders struct {
	mu   sync.Mutex
	open map[string]*folder
}

// A folder is watched for as long as somebody wants that.
type folder struct {
	wants map[chan struct{}]bool // have room for one; guarded by the mu of folders
	stop  func()                 // ends the watch and waits for it
}

// watch calls changed when it begins to watch dir, and when something in it
// changes, until ctx ends.
func (f *folders) watch(ctx context.Context, dir string, changed func()) {
	tick := make(chan struct{}, 1)
	tick <- struct{}{}
	defer f.join(dir, tick)()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			changed()
		}
	}
}

// join has tick filled whenever something in dir changes, until leave is called.
func (f *folders) join(dir string, tick chan struct{}) (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.open[dir]
	if d == nil {
		d = f.begin(dir)
		if f.open == nil {
			f.open = map[string]*folder{}
		}
		f.open[dir] = d
	}
	d.wants[tick] = true
	return func() {
		f.mu.Lock()
		delete(d.wants, tick)
		last := len(d.wants) == 0 && f.open[dir] == d
		if last {
			delete(f.open, dir)
		}
		f.mu.Unlock()
		if last {
			d.stop()
		}
	}
}

func (f *folders) begin(dir string) *folder {
	d := &folder{wants: map[chan struct{}]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	d.stop = func() { cancel(); watching.Wait() }
	changed := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for tick := range d.wants {
			select {
			case tick <- struct{}{}:
			default: // it has to look anyway
			}
		}
	}
	began := func(err error) {
		if err == nil {
			changed()
		}
	}
	watching.Go(func() { watch.Folder(ctx, dir, watch.Options{Shared: kubeconfig.Shared, State: began}, changed) })
	return d
}
