//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package watch

import "github.com/fsnotify/fsnotify"

var openEvents = fsnotify.NewWatcher

const onlyPoll = slowly // of no meaning: there are events

func silent(string) bool { return false }

func explain(err error) error { return err }
