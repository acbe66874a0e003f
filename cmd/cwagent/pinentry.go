package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// askPinentry has pinentry ask for a passphrase on the screen. It speaks the Assuan
// protocol (https://www.gnupg.org/documentation/manuals/assuan): a line each way.
func askPinentry(ctx context.Context, program, what string) (s ipc.Secret, err error) {
	ctx, cancel := context.WithTimeout(ctx, promptWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	in, err := cmd.StdinPipe()
	if err != nil {
		return s, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return s, err
	}
	if err := cmd.Start(); err != nil {
		return s, fail("run it at a terminal", "unlock: %v", err)
	}
	defer func() { in.Close(); cmd.Wait() }()
	answers := bufio.NewReader(out)
	_, err = assuan(answers) // its greeting
	for _, order := range []string{"SETTITLE cwagent", "SETDESC " + url.PathEscape(what), "SETPROMPT passphrase", "GETPIN"} {
		if err == nil {
			_, err = io.WriteString(in, order+"\n")
		}
		if err == nil {
			s, err = assuan(answers)
		}
	}
	switch {
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.Canceled):
		return ipc.Secret{}, fail("try again", "unlock: nobody answered pinentry")
	case ctx.Err() != nil:
		return ipc.Secret{}, ctx.Err()
	case err != nil:
		return ipc.Secret{}, fail("try again", "unlock: pinentry: %v", err)
	}
	return s, nil
}

// assuan reads until the end of an answer, and returns what was in it.
func assuan(answers *bufio.Reader) (data ipc.Secret, err error) {
	for {
		line, err := answers.ReadString('\n')
		if err != nil {
			return data, errors.New("it ended without an answer")
		}
		line = strings.TrimRight(line, "\r\n")
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "OK":
			return data, nil
		case "ERR":
			return data, fmt.Errorf("it says %s", rest)
		case "D":
			text, err := url.PathUnescape(rest)
			if err != nil {
				return data, errors.New("it does not speak Assuan")
			}
			data = ipc.NewSecret(data.Reveal() + text)
		}
	}
}
