package kubeconfig

import "golang.org/x/sys/unix"

// sharedFilesystems are the names in statfs(2) that several machines write to.
var sharedFilesystems = map[string]string{
	"nfs": "NFS", "smbfs": "SMB", "afpfs": "AFP", "webdav": "WebDAV", "acfs": "Xsan",
}

func filesystem(path string) (string, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", false
	}
	return unix.ByteSliceToString(st.Fstypename[:]), true
}
