package watch

import (
	"errors"
	"fmt"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

var openEvents = fsnotify.NewWatcher

const onlyPoll = slowly // of no meaning: there are events

// silentFilesystems are those of statfs(2) that may change without this kernel,
// and so without an event: what they show is kept by a program or by the host of
// a virtual machine (WSL's /mnt/c is 9p). Network file systems are not listed;
// Options.Shared knows them.
var silentFilesystems = map[uint32]bool{
	unix.FUSE_SUPER_MAGIC: true,
	unix.V9FS_MAGIC:       true,
	0x786f4256:            true, // vboxsf
	0xbacbacbc:            true, // VMware's vmhgfs
}

func silent(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && silentFilesystems[uint32(st.Type)]
}

// explain says which limit it is: ENOSPC reads as if a disk were full.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("no more inotify watches (sysctl fs.inotify.max_user_watches): %w", err)
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf("no more inotify instances (sysctl fs.inotify.max_user_instances) or open files: %w", err)
	}
	return err
}
