package watch

import "github.com/fsnotify/fsnotify"

// events are fsnotify's, with its errors taken away at once: it sends them under
// the lock that Add needs (v1.10.1, when a folder is moved and deleted), so who
// reads both would wait for itself.
type events struct {
	*fsnotify.Watcher
	lost chan struct{} // capacity 1: there was an error, above all fsnotify.ErrEventOverflow
	done chan struct{}
}

func listen(w *fsnotify.Watcher) *events {
	e := &events{Watcher: w, lost: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		for range w.Errors {
			select {
			case e.lost <- struct{}{}:
			default:
			}
		}
	}()
	return e
}

// close returns when all goroutines have ended.
func (e *events) close() {
	e.Close() // closes Errors
	<-e.done
}
