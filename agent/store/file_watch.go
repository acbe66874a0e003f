package store

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/cwagent/cwagent/agent/watch"
)

// Look implements agent.StoreWatcher.
func (f *File) Look(ctx context.Context) error {
	_, err := f.look(ctx)
	return err
}

// look also says where the key is looked for that opens the store, if it is one.
func (f *File) look(ctx context.Context) (identity string, err error) {
	g, err := within(ctx, f.calls, func(context.Context) (g guard, err error) {
		if g, err = loadGuard(f.files.form); err == nil {
			_, err = f.files.enterBy(g)
		}
		return g, err
	})
	return g.Identity, err
}

// Watch implements agent.StoreWatcher: the store is made, it is unlocked, or the key
// that opens it comes to where it is looked for. What another machine does in a folder
// that both have makes no event here: the agent looks once a minute anyway.
func (f *File) Watch(ctx context.Context, ready func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	happened := make(chan struct{}, 1)
	follow := func(ctx context.Context, path string) {
		note := func() {
			select {
			case happened <- struct{}{}:
			default: // it has to look anyway
			}
		}
		name := filepath.Base(path)
		o := watch.Options{Match: func(n string) bool { return n == name }, State: func(error) { note() }}
		watching.Go(func() { watch.Folder(ctx, filepath.Dir(path), o, note) })
	}
	follow(ctx, f.files.form.Path())
	identity, leave := "", context.CancelFunc(func() {})
	for was := false; ctx.Err() == nil; {
		turned := f.files.turned()
		beside, err := f.look(ctx)
		is := err == nil
		if is && !was && ctx.Err() == nil {
			ready()
		}
		was = is
		if beside != identity {
			leave()
			identity, leave = beside, func() {}
			if identity != "" {
				var around context.Context
				around, leave = context.WithCancel(ctx)
				follow(around, identity)
			}
		}
		select {
		case <-ctx.Done():
		case <-turned:
			was = false // however short it was locked, somebody may have been refused
		case <-happened:
		}
	}
	leave()
}
