//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package watch

import (
	"time"

	"github.com/fsnotify/fsnotify"
)

// openEvents is nil: kqueue(2) opens every file of a folder.
var openEvents func() (*fsnotify.Watcher, error)

const onlyPoll = 5 * time.Second

func silent(string) bool { return false }

func explain(err error) error { return err }
