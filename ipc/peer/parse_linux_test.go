package peer

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tail := " S 17 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 93306 1 2 3\n"
	for _, comm := range []string{"kubectl", "", ") R 1 2 3 (", "))))", "a b", strings.Repeat("(", 64)} {
		if start, ppid, err := parse([]byte("42 (" + comm + ")" + tail)); err != nil || start != 93306 || ppid != 17 {
			t.Errorf("%q: start %d, parent %d, %v", comm, start, ppid, err)
		}
	}
	// The longest line there can be, as far as it is needed, fits.
	most := " S" + strings.Repeat(" -9223372036854775808", 18) + " 18446744073709551615"
	line := strings.Replace("4194304 ("+strings.Repeat("x", 64)+")"+most, " -9223372036854775808", " 4194304", 1)
	if start, ppid, err := parse([]byte(line)); err != nil || start != 1<<64-1 || ppid != 4194304 || len(line) > 512 {
		t.Errorf("%d bytes: start %d, parent %d, %v", len(line), start, ppid, err)
	}
	for _, bad := range []string{
		"", ")", "42", "42 (x", "42 (x)", "42 (x) ", "42 (x) S", "42 (x) S 17", "x" + strings.Repeat(" 1", 30),
		"42 (x) S x" + strings.Repeat(" 1", 30), "42 (x) S" + strings.Repeat(" 1", 18) + " x 1",
	} {
		if start, ppid, err := parse([]byte(bad)); err == nil || start != 0 || ppid != 0 {
			t.Errorf("%q: start %d, parent %d, %v", bad, start, ppid, err)
		}
	}
}
