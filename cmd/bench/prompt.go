package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// prompt compares what a shell's prompt shows of 1,000 credentials with the plugin.
func prompt(bin string, runs int) error {
	var times [2][]time.Duration
	for range runs {
		for i, c := range []*exec.Cmd{
			exec.Command(filepath.Join(bin, "cwagent-credential"), "bench-7"),
			exec.Command(filepath.Join(bin, "cwagent"), "status", "--short"),
		} {
			t := time.Now()
			if err := c.Run(); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
			times[i] = append(times[i], time.Since(t))
		}
	}
	slices.Sort(times[0])
	slices.Sort(times[1])
	plugin, short := ms(times[0][runs/2]), ms(times[1][runs/2])
	fmt.Printf("\nstatus --short / plugin  %.2f   (at most 4)   %.2f ms, p50 of %d\n", short/plugin, short, runs)
	return nil
}
