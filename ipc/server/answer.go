package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// answer turns a request into a reply. It never fails: a failure is a reply. A
// token that is asked for goes to room if that is large enough.
func (s *Server) answer(ctx context.Context, f ipc.Frame, room []byte) ipc.Frame {
	if !s.speaks(f.Version) {
		return errorFrame(s.Log, s.wrongVersion(f.Version))
	}
	var reply ipc.Frame
	err := s.ready(ctx, ipc.Op(f.Kind))
	if err == nil {
		reply, err = s.dispatch(ctx, f, room)
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		err = &ipc.Error{Code: ipc.CodeTimeout, What: "agent: it was told to leave before this came to an end", Hint: "try again; cwagent status shows how things are"}
	}
	if err != nil {
		reply = errorFrame(s.Log, err)
	}
	reply.Version = f.Version
	return reply
}

func (s *Server) ready(ctx context.Context, op ipc.Op) error {
	if s.Ready == nil {
		return nil
	}
	return s.Ready(ctx, op)
}

func (s *Server) dispatch(ctx context.Context, f ipc.Frame, room []byte) (ipc.Frame, error) {
	switch ipc.Op(f.Kind) {
	case ipc.OpFetch:
		r, err := s.Agent.Fetch(ctx, ipc.FetchRequest{Name: string(f.Parts[0]), ExecInfo: f.Parts[1], Room: room})
		return ipc.Frame{Parts: [3][]byte{r.Stdout, r.Stderr, {byte(r.Exit)}}}, err
	case ipc.OpStatus:
		return handle(ctx, f, s.Agent.Status)
	case ipc.OpAdd:
		return handle(ctx, f, func(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
			r.Secret = s.secret(f.Parts[1])
			return s.Agent.Add(ctx, r)
		})
	case ipc.OpAddAll:
		return handle(ctx, f, func(ctx context.Context, rs []ipc.AddRequest) ([]ipc.AddReply, error) {
			return s.addAll(ctx, rs, f.Parts[1])
		})
	case ipc.OpForget:
		return handle(ctx, f, nothing(s.Agent.Forget))
	case ipc.OpToken:
		return reveal(ctx, f, room, s.Agent.Token)
	case ipc.OpKeys:
		return reveal(ctx, f, room, s.Agent.Keys)
	case ipc.OpVerify:
		return handle(ctx, f, s.Agent.Verify)
	case ipc.OpRotate:
		return handle(ctx, f, s.Agent.Rotate)
	case ipc.OpRetired:
		return handle(ctx, f, s.Agent.Retired)
	case ipc.OpServers:
		return handle(ctx, f, s.Agent.Servers)
	case ipc.OpStores:
		return handle(ctx, f, s.Agent.Stores)
	case ipc.OpMetrics:
		return handle(ctx, f, s.Agent.Metrics)
	case ipc.OpMigrate:
		return handle(ctx, f, s.Agent.Migrate)
	case ipc.OpLock:
		return handle(ctx, f, nothing(func(ctx context.Context, r ipc.LockRequest) error {
			r.Passphrase = s.secret(f.Parts[1])
			return s.Agent.Lock(ctx, r)
		}))
	case ipc.OpUnlock:
		return handle(ctx, f, func(ctx context.Context, r ipc.UnlockRequest) (ipc.UnlockReply, error) {
			r.Passphrase = s.secret(f.Parts[1])
			return s.Agent.Unlock(ctx, r)
		})
	case ipc.OpLeave:
		return handle(ctx, f, nothing(s.Agent.Leave))
	}
	return ipc.Frame{}, &ipc.Error{
		Code: ipc.CodeUnknownOp,
		What: fmt.Sprintf("agent: operation %d is unknown to it", f.Kind),
		Hint: "restart the agent after an upgrade",
	}
}

// addAll hands over tokens, one a line, in the order of their requests.
func (s *Server) addAll(ctx context.Context, rs []ipc.AddRequest, tokens []byte) ([]ipc.AddReply, error) {
	secrets := bytes.Split(tokens, []byte("\n"))
	if len(secrets) != len(rs) {
		return nil, &ipc.Error{Code: ipc.CodeMalformed, What: "request: it has not one token for each name", Hint: "no token has a line break"}
	}
	for i := range rs {
		rs[i].Secret = s.secret(secrets[i])
	}
	return s.Agent.AddAll(ctx, rs)
}

// secret makes a secret of a part of a request.
func (s *Server) secret(b []byte) ipc.Secret {
	if s.Secret == nil {
		return ipc.NewSecret(string(b))
	}
	return s.Secret(b)
}

// speaks reports whether the agent knows that version of the protocol.
func (s *Server) speaks(v byte) bool { return v >= ipc.Oldest && v <= s.newest() }

func (s *Server) newest() byte { return ipc.Version + s.ahead }

func (s *Server) wrongVersion(v byte) error {
	return &ipc.Error{
		Code: ipc.CodeVersion,
		What: fmt.Sprintf("agent: it speaks version %d of its protocol, the request has version %d", s.newest(), v),
		Hint: "restart the agent after an upgrade",
	}
}

// nothing is for an operation without a reply.
func nothing[Request any](do func(context.Context, Request) error) func(context.Context, Request) (struct{}, error) {
	return func(ctx context.Context, r Request) (struct{}, error) { return struct{}{}, do(ctx, r) }
}

// handle decodes the JSON of a request, calls do, and encodes what it returns.
func handle[Request, Reply any](ctx context.Context, f ipc.Frame, do func(context.Context, Request) (Reply, error)) (ipc.Frame, error) {
	var req Request
	if err := json.Unmarshal(f.Parts[0], &req); err != nil {
		// The decoder's message can quote what it read.
		return ipc.Frame{}, &ipc.Error{Code: ipc.CodeMalformed, What: "request: its JSON cannot be read"}
	}
	reply, err := do(ctx, req)
	if err != nil {
		return ipc.Frame{}, err
	}
	body, err := json.Marshal(reply)
	return ipc.Frame{Parts: [3][]byte{body}}, err
}

// reveal is handle for an operation that gives a secret and nothing else.
func reveal[Request any](ctx context.Context, f ipc.Frame, room []byte, do func(context.Context, Request) (ipc.Secret, error)) (ipc.Frame, error) {
	var secret ipc.Secret
	reply, err := handle(ctx, f, nothing(func(ctx context.Context, r Request) (err error) {
		secret, err = do(ctx, r)
		return err
	}))
	reply.Parts[1] = secret.Append(room)
	return reply, err
}

// errorFrame is the reply that carries err.
func errorFrame(log *slog.Logger, err error) ipc.Frame {
	var e *ipc.Error
	if !errors.As(err, &e) {
		log.Error("request failed", "error", err)
		e = &ipc.Error{Code: ipc.CodeInternal, What: "agent: " + err.Error(), Hint: "this is a fault of cwagent: please report it"}
	}
	return ipc.Frame{Kind: uint16(e.Code), Parts: [3][]byte{[]byte(e.What), []byte(e.Hint)}}
}

// write sends a reply. A peer that went away or does not read is its own loss.
func (s *Server) write(conn net.Conn, f ipc.Frame, now time.Time) {
	buf := buffers.Get().(*[]byte)
	defer func() { clear(*buf); buffers.Put(buf) }()
	if f.Version == 0 {
		f.Version = ipc.Oldest
	}
	if ipc.Code(f.Kind) == ipc.CodeVersion {
		f.Parts[2] = []byte{ipc.Oldest, s.newest()}
	}
	_ = conn.SetWriteDeadline(now.Add(writeReply))
	b := ipc.AppendFrame((*buf)[:0], f)
	defer clear(b)
	_, _ = conn.Write(b)
}

// refuse answers with an error, except where the peer has shown that it is not
// listening for one.
func (s *Server) refuse(conn net.Conn, err error) {
	if err != nil {
		s.write(conn, errorFrame(s.Log, err), time.Now())
	}
}
