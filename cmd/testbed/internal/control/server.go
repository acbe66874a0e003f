package control

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
)

// Server does what the commands ask of a running testbed.
type Server struct {
	Info     Info
	Tokens   *cloud.List
	Faults   *cloud.Faults
	Clusters []cloud.Cluster
	CA       []byte // PEM
}

func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Info, nil) })
	mux.HandleFunc("POST /mint", s.mint)
	mux.HandleFunc("POST /revoke", s.revoke)
	mux.HandleFunc("POST /fault", func(w http.ResponseWriter, r *http.Request) {
		reply(w, struct{}{}, s.Faults.Set(r.URL.Query().Get("kind")))
	})
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, r *http.Request) {
		counts, err := s.Tokens.Requests(r.URL.Query().Get("token"))
		reply(w, counts, err)
	})
	return mux
}

func (s *Server) mint(w http.ResponseWriter, r *http.Request) {
	var req MintRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		reply(w, nil, fmt.Errorf("read request: %w", err))
		return
	}
	if req.Servers < 1 || req.Servers > len(s.Clusters) {
		reply(w, nil, fmt.Errorf("servers %d: want 1 to %d", req.Servers, len(s.Clusters)))
		return
	}
	t, err := s.Tokens.Mint(cloud.Order{Name: req.Name, UID: req.UID, OrgUID: req.OrgUID, Lifetime: req.Lifetime})
	if err != nil {
		reply(w, nil, fmt.Errorf("mint token: %w", err))
		return
	}
	reply(w, MintReply{
		Secret:     t.Secret.Reveal(),
		Kubeconfig: cloud.Kubeconfig(t, s.Clusters[:req.Servers], s.CA),
		FileName:   cloud.DownloadName(t),
	}, nil)
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	dead, err := s.Tokens.Revoke(r.URL.Query().Get("token"))
	var ids []string
	for _, t := range dead {
		ids = append(ids, t.ID)
	}
	reply(w, RevokeReply{ids}, err)
}

func reply(w http.ResponseWriter, body any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		body = failure{err.Error()}
	}
	json.NewEncoder(w).Encode(body)
}
