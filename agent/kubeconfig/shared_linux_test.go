package kubeconfig

import "testing"

func TestShared(t *testing.T) {
	t.Parallel()
	for _, local := range []string{t.TempDir(), "/proc", "/no/such/folder"} {
		if name, shared := Shared(local); shared {
			t.Errorf("%s is said to lie on %s", local, name)
		}
	}
	// statfs(2) and the file systems' own sources.
	for magic, want := range map[uint32]string{
		0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB", 0x0bd00bd0: "Lustre", 0x47504653: "GPFS", 0x00c36400: "CephFS",
		0xef53: "", 0x01021994: "", 0x9123683e: "", // ext4, tmpfs, btrfs
	} {
		if got := sharedFilesystems[magic]; got != want {
			t.Errorf("%#x is %q, want %q", magic, got, want)
		}
	}
}
