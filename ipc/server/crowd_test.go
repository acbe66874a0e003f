package server

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
)

func TestConnsFor(t *testing.T) {
	t.Parallel()
	for descriptors, want := range map[uint64]int{
		0: 16, 30: 16, 32: 16, 100: 50, 256: 128, 1024: 512, 2048: 1024, 4096: 1024, 1 << 19: 1024, math.MaxUint64: 1024,
	} {
		if got := connsFor(descriptors); got != want {
			t.Errorf("%d descriptors: %d connections, want %d", descriptors, got, want)
		}
	}
}

// A shortage is told at once, then every ten seconds with what it has come to.
func TestShortage(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := shortage{log: slog.New(slog.NewTextHandler(&b, nil))}
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for i := range 1001 {
		s.note(errors.New("too many open files"), noon.Add(time.Duration(i)*10*time.Millisecond))
	}
	if n := strings.Count(b.String(), "\n"); n != 2 || !strings.Contains(b.String(), "times=1\n") || !strings.Contains(b.String(), "times=1000\n") {
		t.Errorf("%d lines:\n%s", n, &b)
	}
	s.note(errors.New("again"), noon.Add(-time.Hour)) // the clock was set back
	if !strings.Contains(b.String(), "again") {
		t.Error("silent for an hour")
	}
}
