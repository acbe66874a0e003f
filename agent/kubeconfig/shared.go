package kubeconfig

// Shared reports whether path lies on a file system that other machines may
// mount as well, and its name. A token that leaves such a file for a keyring of
// this machine would be missing on all the others.
func Shared(path string) (name string, shared bool) {
	kind, known := filesystem(path)
	if !known {
		return "", false
	}
	name, shared = sharedFilesystems[kind]
	return name, shared
}
