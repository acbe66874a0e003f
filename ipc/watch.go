package ipc

import "time"

// A Watch is a file or a folder that the agent looks after because a token may come
// into it, and what came of the last that did. A kubeconfig with several static
// tokens has one for each.
type Watch struct {
	Path       string     `json:"path"`                 // of the file or folder
	Kind       WatchKind  `json:"kind"`                 // why it is looked after
	State      WatchState `json:"state"`                // how it is
	Why        string     `json:"why,omitempty"`        // it is in that state, for a person
	Hint       string     `json:"hint,omitempty"`       // what a person can do
	At         time.Time  `json:"at"`                   // since when
	User       string     `json:"user,omitempty"`       // of the kubeconfig, whose token it is about
	Credential string     `json:"credential,omitempty"` // that has the token, or is to have it
}

// WatchKind says why a path is watched.
type WatchKind string

const (
	WatchKubeconfig WatchKind = "kubeconfig" // the config names it, or import has rewritten it
	WatchDownload   WatchKind = "download"   // a kubeconfig of the Console in a folder of downloads
	WatchFolder     WatchKind = "folder"     // a folder of downloads
)

// WatchState says how it is.
type WatchState string

const (
	WatchQuiet      WatchState = "quiet"      // nothing is to be done
	WatchAbsorbed   WatchState = "absorbed"   // a token was taken out of it
	WatchFound      WatchState = "found"      // a token lies in it, and is left there
	WatchWaiting    WatchState = "waiting"    // a token lies in it: that is tried again without being asked
	WatchRestored   WatchState = "restored"   // a token lies in it that a person has put back
	WatchMissing    WatchState = "missing"    // it is not there; it is waited for
	WatchUnreadable WatchState = "unreadable" // nobody knows what is in it
)
