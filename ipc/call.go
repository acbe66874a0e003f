package ipc

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/cwagent/cwagent/ipc/peer"
)

// A conn is a connected Unix socket.
type conn interface {
	io.ReadWriteCloser
	syscall.Conn
	SetDeadline(time.Time) error
}

// Call sends one request to the agent at path and returns its reply, all
// before deadline. What comes back as an error is an *Error: the agent's own,
// or CodeUnreachable, CodeTimeout or CodeDenied of the client's making; only
// where ctx is canceled it is the error of ctx. A ctx that cannot be canceled,
// such as the plugin's, costs nothing. What changes nothing is sent again if the agent
// goes before it answers.
func Call(ctx context.Context, path string, deadline time.Time, op Op, request [parts][]byte) (Frame, error) {
	return call(ctx, path, deadline, Version, op, request)
}

func call(ctx context.Context, path string, deadline time.Time, version byte, op Op, request [parts][]byte) (Frame, error) {
	reply, err := once(ctx, path, deadline, version, op, request)
	for tries := 1; tries < 3 && op.asks() && closed(err); tries++ {
		reply, err = once(ctx, path, deadline, version, op, request)
	}
	if err == nil && Code(reply.Kind) == CodeVersion {
		if v, ok := common(reply.Parts[2], version); ok {
			return call(ctx, path, deadline, v, op, request)
		}
	}
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return Frame{}, ctx.Err()
	case err != nil:
		return Frame{}, callError(path, err)
	}
	if code := Code(reply.Kind); code != CodeOK {
		return Frame{}, &Error{Code: code, What: string(reply.Parts[0]), Hint: string(reply.Parts[1])}
	}
	return reply, nil
}

// common is the newest version that we speak and that an agent does which has refused
// ours; spoken is what it says of itself.
func common(spoken []byte, refused byte) (version byte, ok bool) {
	if len(spoken) != 2 {
		return 0, false
	}
	v := min(spoken[1], refused-1)
	return v, v >= max(spoken[0], Oldest)
}

// once connects and asks.
func once(ctx context.Context, path string, deadline time.Time, version byte, op Op, request [parts][]byte) (Frame, error) {
	conn, err := dial(path, deadline)
	if err != nil {
		return Frame{}, err
	}
	defer conn.Close()
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })
		defer stop()
	}
	return exchange(conn, Frame{Version: version, Kind: uint16(op), Parts: request})
}

// closed reports whether the agent has gone before it answered: it crashed, or was
// stopped. Where a service manager keeps the socket, or the agent has executed itself to
// lock, the next one is on its way.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

func exchange(conn io.ReadWriter, request Frame) (Frame, error) {
	buf := make([]byte, 0, 4096)
	buf = AppendFrame(buf, request)
	if _, err := conn.Write(buf); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		// Those two: the agent has answered without reading on. Read what it says.
		return Frame{}, err
	}
	return ReadFrame(conn, MaxReply, buf)
}

// Fetch is the credential plugin's request.
func Fetch(ctx context.Context, path string, deadline time.Time, r FetchRequest) (FetchReply, error) {
	f, err := Call(ctx, path, deadline, OpFetch, [parts][]byte{[]byte(r.Name), r.ExecInfo})
	if err != nil {
		return FetchReply{}, err
	}
	reply := FetchReply{Stdout: f.Parts[0], Stderr: f.Parts[1]}
	if len(f.Parts[2]) != 1 {
		return FetchReply{}, callError(path, ErrMalformed)
	}
	reply.Exit = int(f.Parts[2][0])
	return reply, nil
}

// dial connects and makes sure that it is our own agent that listens: in a
// shared folder such as /tmp somebody else might have been there first.
func dial(path string, deadline time.Time) (conn, error) {
	conn, err := connect(path, deadline)
	if err != nil {
		return nil, callError(path, err)
	}
	uid, err := peer.UID(conn)
	if err == nil && int(uid) != os.Getuid() {
		err = &Error{
			Code: CodeDenied,
			What: "agent: the socket " + path + " is served by user id " + strconv.Itoa(int(uid)) + ", not by you",
			Hint: "find out who made it before you go on",
		}
	}
	if err == nil || errors.Is(err, peer.ErrUnsupported) {
		err = conn.SetDeadline(deadline)
	}
	if err != nil {
		conn.Close()
		return nil, callError(path, err)
	}
	return conn, nil
}

// Reach connects to the agent at path, and hangs up. Its errors are those of Call.
func Reach(path string, deadline time.Time) error {
	conn, err := dial(path, deadline)
	if err != nil {
		return err
	}
	return conn.Close()
}

// StartHint is the hint of the error that says that nobody listens.
const StartHint = "start it with: cwagent agent"

// callError says what an error of the socket means for a person.
func callError(path string, err error) error {
	var ours *Error
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return &Error{CodeUnreachable, "agent: not running: nobody listens at " + path, StartHint}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Error{CodeTimeout, "agent: no answer in time from " + path, "cwagent doctor says what hangs, and how it is ended"}
	case errors.Is(err, fs.ErrPermission):
		return &Error{CodeDenied, "agent: socket " + path + ": permission denied", "the socket must belong to you"}
	case closed(err):
		return &Error{CodeUnreachable, "agent: the connection to " + path + " closed without an answer", "look at the agent's log"}
	}
	return &Error{CodeUnreachable, "agent: " + err.Error(), ""}
}
