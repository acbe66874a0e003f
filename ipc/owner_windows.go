package ipc

import "io/fs"

// owned trusts the access list of the profile folder: Windows has no user ids.
func owned(fs.FileInfo) bool { return true }
