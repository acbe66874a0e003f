// Command bench measures what people feel: how long the plugin takes to start,
// as a ratio to the least that a Go and a C program need for the same, how much
// memory the agent takes with 1,000 credentials, what 200 plugins at once do, and
// how long "cwagent aws" takes beside the plugin, what "cwagent run" adds to a program
// and the audit log to a fetch. It prints figures, and fails only where one of these
// last two is too much; ratios of one run can be compared between machines, times
// cannot.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
)

const server = "https://127.0.0.1:6443"

// execInfo is what kubectl hands to the plugin, with a CA of the usual size.
const execInfo = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"` +
	server + `","config":null},"interactive":false}}`

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	bin := flag.String("bin", "bin", "folder with cwagent and cwagent-credential")
	runs := flag.Int("runs", 1000, "starts of each program")
	only := flag.Bool("audit", false, "only what the audit log costs a fetch")
	flag.Parse()
	if *only {
		if err := inTemp(audited); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := inTemp(func(dir string) error { return run(dir, *bin, *runs) }); err != nil {
		log.Fatal(err)
	}
}

func inTemp(do func(dir string) error) error {
	dir, err := os.MkdirTemp("", "cwbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return do(dir)
}

func run(dir, bin string, runs int) error {
	if err := floors(dir); err != nil {
		return err
	}
	socket := filepath.Join(dir, "s", "agent.sock")
	os.Setenv("CWAGENT_SOCKET", socket)
	os.Setenv("CWAGENT_STATE_DIR", filepath.Join(dir, "state"))
	config := filepath.Join(dir, "config.yaml") // empty: all defaults
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		return err
	}
	os.Setenv("CWAGENT_CONFIG", config)
	os.Setenv("KUBERNETES_EXEC_INFO", execInfo)
	agent, err := start(filepath.Join(bin, "cwagent"), socket)
	if err != nil {
		return err
	}
	defer func() { agent.Process.Signal(os.Interrupt); agent.Wait() }()
	empty := resident(agent.Process.Pid)
	if err := fill(socket, 1000); err != nil {
		return err
	}
	time.Sleep(settle)
	full := resident(agent.Process.Pid)
	plugin := filepath.Join(bin, "cwagent-credential")
	if err := starts(plugin, filepath.Join(dir, "gofloor"), filepath.Join(dir, "cfloor"), runs); err != nil {
		return err
	}
	if err := programs(bin, runs); err != nil {
		return err
	}
	if err := crowd(plugin, 200); err != nil {
		return err
	}
	fmt.Printf("\nagent, resident       empty %.1f MB   with 1,000 credentials %.1f MB (at most 20)   right after the crowd %.1f MB\n",
		empty, full, resident(agent.Process.Pid))
	for _, name := range []string{plugin, filepath.Join(bin, "cwagent")} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		fmt.Printf("size %-22s %.2f MB\n", filepath.Base(name), float64(info.Size())/1e6)
	}
	if err := awsKeys(bin, runs/2); err != nil {
		return err
	}
	if err := prompt(bin, runs); err != nil {
		return err
	}
	if err := coldStart(bin, 200); err != nil {
		return err
	}
	return audited(dir)
}

// floors builds the two reference programs, with the plugin's own flags.
func floors(dir string) error {
	goBuild := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "gofloor"), "./cmd/bench/gofloor")
	goBuild.Env = append(os.Environ(), "CGO_ENABLED=0")
	cc := exec.Command("gcc", "-O2", "-o", filepath.Join(dir, "cfloor"), "cmd/bench/cfloor/floor.c")
	for _, c := range []*exec.Cmd{goBuild, cc} {
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", c, err, out)
		}
	}
	return nil
}

func start(cwagent, socket string) (*exec.Cmd, error) {
	c := exec.Command(cwagent, "agent")
	if err := c.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := (client.Client{Path: socket}).Status(context.Background(), ipc.StatusRequest{}); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("the agent does not answer at %s", socket)
}

// settle is longer than the agent needs to give back what a burst of changes took.
const settle = 2 * time.Second

func fill(socket string, n int) error {
	a := client.Client{Path: socket}
	for i := range n {
		_, err := a.Add(context.Background(), ipc.AddRequest{
			Name: fmt.Sprintf("bench-%d", i), Secret: ipc.NewSecret(fmt.Sprintf("CW-SECRET-%032d", i)),
			Expiry: ipc.ExpiryUnknown, Servers: []ipc.Server{{URL: server}}, Ephemeral: true, NoVerify: true,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// starts runs the three programs in turn, so that whatever else the machine
// does hits them alike.
func starts(plugin, goFloor, cFloor string, runs int) error {
	programs := []string{plugin, goFloor, cFloor}
	times := make([][]time.Duration, len(programs))
	for i := range runs + 20 {
		for p, path := range programs {
			t := time.Now()
			if err := exec.Command(path, "bench-7").Run(); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if i >= 20 { // the first ones warm the caches
				times[p] = append(times[p], time.Since(t))
			}
		}
	}
	fmt.Printf("%d starts each, %s, %d CPUs\n\n%-24s %8s %8s\n", runs, runtime.Version(), runtime.NumCPU(), "", "p50 ms", "p95 ms")
	var medians []float64
	for p, path := range programs {
		slices.Sort(times[p])
		p50, p95 := ms(times[p][runs/2]), ms(times[p][runs*95/100])
		medians = append(medians, p50)
		fmt.Printf("%-24s %8.2f %8.2f\n", filepath.Base(path), p50, p95)
	}
	fmt.Printf("\nplugin / Go floor  %.2f   (at most 1.12)\nplugin / C floor   %.2f   (at most 2.2)\n",
		medians[0]/medians[1], medians[0]/medians[2])
	return nil
}

// crowd starts n plugins at once and says how many failed and how long the
// slowest took.
func crowd(plugin string, n int) error {
	type result struct {
		took time.Duration
		err  error
	}
	results := make(chan result, n)
	gate := make(chan struct{})
	for i := range n {
		go func() {
			<-gate
			t := time.Now()
			err := exec.Command(plugin, fmt.Sprintf("bench-%d", i)).Run()
			results <- result{time.Since(t), err}
		}()
	}
	close(gate)
	failed, slowest := 0, time.Duration(0)
	for range n {
		r := <-results
		slowest = max(slowest, r.took)
		if r.err != nil {
			failed++
		}
	}
	fmt.Printf("\n%d plugins at once     %d failed, the slowest took %.0f ms, its own start included\n", n, failed, ms(slowest))
	return nil
}

// resident returns the resident memory of a process in MB, 0 where /proc is not.
func resident(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, pages int
	fmt.Sscan(string(b), &size, &pages)
	return float64(pages*os.Getpagesize()) / 1e6
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
