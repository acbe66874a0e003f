package peer

import "testing"

func TestProcargs(t *testing.T) {
	t.Parallel()
	argv, exe := procargs([]byte("\x02\x00\x00\x00/bin/x\x00\x00\x00\x00x\x00get\x00HOME=/secret\x00"))
	if string(argv) != "x\x00get\x00" || exe != "/bin/x" {
		t.Errorf("%q, %q", argv, exe)
	}
	for _, cut := range []string{"", "\x02", "\x02\x00\x00\x00", "\x02\x00\x00\x00/bin/x", "\x02\x00\x00\x00/bin/x\x00\x00x"} {
		if argv, _ := procargs([]byte(cut)); len(argv) != 0 {
			t.Errorf("%q: %q", cut, argv)
		}
	}
}
