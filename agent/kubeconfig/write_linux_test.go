package kubeconfig

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// somebody is a user id without any rights.
const somebody = 65534

// asSomebody runs f with the file permissions of a plain user. For root that is
// a thread of its own with another file system user id, which ends with f.
func asSomebody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread is of no more use
		if err := unix.Setfsgid(somebody); err != nil {
			t.Error(err)
		}
		if err := unix.Setfsuid(somebody); err != nil {
			t.Error(err)
		}
		f()
	}()
	<-done
}

// reach lets everybody walk to a file in a temporary folder of a test.
func reach(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755); err != nil {
		t.Fatal(err)
	}
}

// give hands a file and its folder to the user of asSomebody.
func give(t *testing.T, path string) {
	t.Helper()
	reach(t, path)
	if os.Geteuid() != 0 {
		return
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if err := os.Chown(p, somebody, somebody); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadFifo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Read(path)
	if got := refusal(t, err); !strings.Contains(got, "not a regular file") {
		t.Error(got)
	}
	config, text := place(t, 0o600)
	text = strings.Replace(text, "{server", "{certificate-authority: "+path+", server", 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Read(config)
	if got := refusal(t, err); !strings.Contains(got, "not a regular file") {
		t.Error(got)
	}
}

func TestReadForbidden(t *testing.T) {
	t.Parallel()
	path, _ := place(t, 0)
	reach(t, path)
	asSomebody(t, func() {
		_, err := Read(path)
		if err == nil {
			t.Error("read")
		} else if got := refusal(t, err); !strings.Contains(got, "permission denied") {
			t.Error(got)
		}
	})
}

// In a folder that nobody may write to nothing is written, and nothing is tried
// in place either: that would truncate the file first.
func TestWriteForbiddenFolder(t *testing.T) {
	t.Parallel()
	path, text := place(t, 0o600)
	give(t, path)
	dir := filepath.Dir(path)
	asSomebody(t, func() {
		f, err := Read(path)
		if err != nil {
			t.Error(err)
			return
		}
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Error(err)
		}
		err = f.Write([]byte("new\n"))
		if err == nil {
			t.Error("written")
		} else if got := refusal(t, err); !strings.Contains(got, "no file can be made beside it: permission denied") {
			t.Error(got)
		}
	})
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	wantText(t, path, text)
	wantFiles(t, dir, "config")
}

// A folder that cannot be opened cannot be synced. By then the file is
// replaced: an error would make the caller forget the token.
func TestWriteUnreadableFolder(t *testing.T) {
	t.Parallel()
	path, _ := place(t, 0o600)
	give(t, path)
	dir := filepath.Dir(path)
	asSomebody(t, func() {
		f, err := Read(path)
		if err != nil {
			t.Error(err)
			return
		}
		if err := os.Chmod(dir, 0o300); err != nil {
			t.Error(err)
		}
		if err := f.Write([]byte("new\n")); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	wantText(t, path, "new\n")
	wantFiles(t, dir, "config")
}

// Root edits a person's file without taking it over; a person does not edit
// somebody else's file, because it would become theirs.
func TestWriteKeepsOwner(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	path, text := place(t, 0o666)
	reach(t, path)
	dir := filepath.Dir(path)
	if err := os.Chown(path, 1234, 5678); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	asSomebody(t, func() {
		f, err := Read(path)
		if err != nil {
			t.Error(err)
			return
		}
		err = f.Write([]byte("new\n"))
		if err == nil {
			t.Error("took a file over")
		} else if got := refusal(t, err); !strings.Contains(got, "not permitted") {
			t.Error(got)
		}
	})
	wantText(t, path, text)
	wantFiles(t, dir, "config")

	if err := read(t, path).Write([]byte("new\n")); err != nil {
		t.Fatal(err)
	}
	wantText(t, path, "new\n")
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil || st.Uid != 1234 || st.Gid != 5678 || st.Mode&0o777 != 0o666 {
		t.Errorf("owner %d, group %d, mode %o, %v", st.Uid, st.Gid, st.Mode, err)
	}
}
