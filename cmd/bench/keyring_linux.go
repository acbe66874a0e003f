package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cwagent/cwagent/agent/store/keyringtest"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
)

// coldStart measures what a person waits for after a login: from the start of an
// agent with n tokens in a real keyring to the first answer, for one that is
// neither the first nor the last in its list.
func coldStart(bin string, n int) error {
	if err := keyringtest.Missing(); err != nil {
		fmt.Printf("\nfirst answer from a keyring: not measured, %v\n", err)
		return nil
	}
	dir, err := os.MkdirTemp("", "cwk")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	k, err := keyringtest.Start(dir, keyringtest.Options{})
	if err != nil {
		return err
	}
	defer k.Close()
	socket := filepath.Join(dir, "s", "agent.sock")
	os.Setenv("CWAGENT_SOCKET", socket)
	os.Setenv("CWAGENT_STATE_DIR", filepath.Join(dir, "state"))
	for _, name := range []string{"DBUS_SESSION_BUS_ADDRESS", "XDG_DATA_HOME"} {
		os.Setenv(name, k.Getenv(name))
	}
	cwagent := filepath.Join(bin, "cwagent")
	agent, err := start(cwagent, socket)
	if err != nil {
		return err
	}
	a := client.Client{Path: socket}
	for i := range n {
		_, err := a.Add(context.Background(), ipc.AddRequest{
			Name: fmt.Sprintf("bench-%d", i), Secret: ipc.NewSecret(fmt.Sprintf("CW-SECRET-%032d", i)),
			Expiry: ipc.ExpiryUnknown, Servers: []ipc.Server{{URL: server}}, NoVerify: true,
		})
		if err != nil {
			return err
		}
	}
	agent.Process.Kill()
	agent.Wait()

	begin := time.Now()
	agent = exec.Command(cwagent, "agent")
	if err := agent.Start(); err != nil {
		return err
	}
	defer func() { agent.Process.Signal(os.Interrupt); agent.Wait() }()
	plugin := filepath.Join(bin, "cwagent-credential")
	for tries := 1; ; tries++ {
		if exec.Command(plugin, fmt.Sprintf("bench-%d", n/2)).Run() == nil {
			fmt.Printf("\nfirst answer with %d tokens in a real keyring: %.0f ms after the start of the agent (%d tries; at most 300)\n",
				n, ms(time.Since(begin)), tries)
			return nil
		}
		if time.Since(begin) > 10*time.Second {
			return fmt.Errorf("no answer from an agent with %d tokens in a keyring", n)
		}
	}
}
