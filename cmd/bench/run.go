package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// mostRun is how much cwagent run may add to what it starts, in starts of the plugin.
const mostRun = 4

// programs measures what cwagent run adds to a program, as a ratio to the plugin. The
// three are started in turn, and each ratio is of one turn; the median is judged.
func programs(bin string, runs int) error {
	cwagent, plugin := filepath.Join(bin, "cwagent"), filepath.Join(bin, "cwagent-credential")
	var last float64
	for _, flags := range [][]string{nil, {"--kubeconfig"}} {
		run := append(append([]string{cwagent, "run", "bench-7"}, flags...), "--", "true")
		var ratios, adds []float64
		for i := range runs + 20 {
			var took [3]time.Duration
			for p, argv := range [][]string{{plugin, "bench-7"}, {"true"}, run} {
				t := time.Now()
				if err := exec.Command(argv[0], argv[1:]...).Run(); err != nil {
					return fmt.Errorf("%v: %w", argv, err)
				}
				took[p] = time.Since(t)
			}
			if i >= 20 { // the first ones warm the caches
				added := took[2] - took[1]
				adds, ratios = append(adds, ms(added)), append(ratios, float64(added)/float64(took[0]))
			}
		}
		slices.Sort(ratios)
		slices.Sort(adds)
		ratio := ratios[runs/2]
		if flags == nil {
			last = ratio
			fmt.Printf("\ncwagent run NAME -- true                adds %.2f ms, %.2f times the plugin (at most %d)\n", adds[runs/2], ratio, mostRun)
		} else {
			fmt.Printf("cwagent run NAME --kubeconfig -- true   adds %.2f ms, %.2f times the plugin\n", adds[runs/2], ratio)
		}
	}
	if last > mostRun {
		return fmt.Errorf("cwagent run adds %.2f times the plugin, at most %d are allowed", last, mostRun)
	}
	return nil
}
