package config

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"sync"
)

// Follow hands what Load gives to apply: once at its start, because the file may
// have changed since its caller has read it, and whenever it has become
// something else: another content or mode, one that is deleted (the defaults) or
// created. An error means that the file is broken: the caller keeps what it has.
// Calls of apply do not overlap. Follow returns when ctx ends and all calls of
// watch have returned.
//
// watch calls changed when it has begun to watch the folder dir, which may be
// missing, and after each change in it; it waits until a burst is over, because
// a file that is being written is short for a moment. It returns when ctx ends.
// It is called for the folder of path, and for the one to which path leads where
// it is a symbolic link, as those who keep their dotfiles elsewhere have it.
//
// Of the certificate authorities that the config names, those in these folders
// are followed, too. One elsewhere is read again with the next change here.
func Follow(ctx context.Context, path string, watch func(ctx context.Context, dir string, changed func()), apply func(Config, error)) {
	wake := make(chan struct{}, 1)
	changed := func() {
		select {
		case wake <- struct{}{}:
		default: // Load has yet to begin: it will see this change, too
		}
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	begin := func(dir string) (end func()) {
		ctx, end := context.WithCancel(ctx)
		watching.Go(func() { watch(ctx, dir, changed) })
		return end
	}
	dir := filepath.Dir(path)
	defer begin(dir)()
	linked, end := dir, func() {}
	defer func() { end() }()

	var last loaded
	for first := true; ; first = false {
		if to := linkedFolder(path); to != linked {
			end()
			linked, end = to, func() {}
			if to != dir {
				end = begin(to)
			}
		}
		if now := load(path); first || !reflect.DeepEqual(now, last) {
			last = now
			apply(now.config, now.err)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}
	}
}

// linkedFolder is where the file lies to which path is a link; if path is none,
// or leads nowhere, it is the folder that is watched already.
func linkedFolder(path string) string {
	dir := filepath.Dir(path)
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		return dir
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return dir
	}
	return filepath.Dir(target)
}

// A loaded is what Load gave.
type loaded struct {
	config Config
	err    error
}

func load(path string) loaded {
	c, err := Load(path)
	return loaded{c, err}
}
