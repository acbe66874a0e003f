package kubeconfig

import "golang.org/x/sys/unix"

// sharedFilesystems are those of statfs(2)'s f_type that several machines write
// to. FUSE is not among them: it does not say what is behind it.
var sharedFilesystems = map[uint32]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CEPH_SUPER_MAGIC: "CephFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	0x0bd00bd0:            "Lustre",
	0x47504653:            "GPFS",
	0x19830326:            "BeeGFS",
	0x01161970:            "GFS2",
	0x7461636f:            "OCFS2",
}

func filesystem(path string) (uint32, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, false
	}
	return uint32(st.Type), true
}
