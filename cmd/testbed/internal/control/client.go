package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
)

// Everything that a testbed answers comes from memory: slower than this means stopped.
const patience = 10 * time.Second

// Client asks the testbed that is up in one folder.
type Client struct {
	dir  string
	http http.Client
}

func NewClient(dir string) *Client {
	path := filepath.Join(socketFolderOf(dir), socketName)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{dir: dir, http: http.Client{
		Timeout:   patience,
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
	}}
}

func (c *Client) Info(ctx context.Context) (Info, error) {
	return ask[Info](ctx, c, http.MethodGet, "/info", nil)
}

func (c *Client) Mint(ctx context.Context, req MintRequest) (MintReply, error) {
	return ask[MintReply](ctx, c, http.MethodPost, "/mint", req)
}

func (c *Client) Revoke(ctx context.Context, which string) (RevokeReply, error) {
	return ask[RevokeReply](ctx, c, http.MethodPost, "/revoke?token="+url.QueryEscape(which), nil)
}

func (c *Client) Requests(ctx context.Context, which string) (cloud.Counts, error) {
	return ask[cloud.Counts](ctx, c, http.MethodGet, "/requests?token="+url.QueryEscape(which), nil)
}

func (c *Client) Fault(ctx context.Context, kind string) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/fault?kind="+url.QueryEscape(kind), nil)
	return err
}

func ask[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	var payload bytes.Buffer
	if err := json.NewEncoder(&payload).Encode(body); err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://testbed"+path, &payload)
	if err != nil {
		return answer, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer, c.unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var why failure
		if err := json.NewDecoder(resp.Body).Decode(&why); err != nil || why.Error == "" {
			return answer, fmt.Errorf("ask %s: %s", c.dir, resp.Status)
		}
		return answer, errors.New(why.Error)
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read answer of %s: %w", c.dir, err)
	}
	return answer, nil
}

// unreachable leaves out the URL that http.Client adds: it means nothing to who reads it.
func (c *Client) unreachable(err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return &Hinted{fmt.Errorf("ask %s: %w", c.dir, ErrNotRunning), "start one: testbed up " + c.dir}
	}
	var bare *url.Error
	if errors.As(err, &bare) {
		err = bare.Err
	}
	return fmt.Errorf("ask %s: %w", c.dir, err)
}
