package cloud

import (
	"net/http"
	"time"
)

// Cluster is one CKS cluster of the organization, under the name that the Console's kubeconfig gives it.
type Cluster struct {
	ID        string
	Name      string
	Zone      string
	Namespace string
	Server    string // https URL
}

// FirstTwo are the clusters of every organization here. Both are the same API server behind two addresses.
func FirstTwo(servers [2]string) []Cluster {
	return []Cluster{
		{"0b6c1a52-7f3d-4d0e-8a65-c1f2d3e4a501", "train-east", "US-EAST-04A", "default", servers[0]},
		{"5d2e9f81-3c47-4b1a-9e70-a6b5c4d3e202", "serve-eu", "EU-SOUTH-04B", "inference", servers[1]},
	}
}

// StandIn is api.coreweave.com as far as a credential agent needs it.
type StandIn struct {
	Tokens   *List
	Clusters []Cluster
	Faults   *Faults
	Now      func() time.Time
	KeysLife time.Duration // of object storage keys; 0: CoreWeave's quarter of an hour
}

// Handler serves the documented requests, unless a fault is set.
func (s *StandIn) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /v1beta1/auth/whoami", s.ask(Whoami, s.whoami))
	mux.Handle("GET /v1beta1/cks/clusters", s.ask(Clusters, s.clusters))
	mux.Handle("GET "+keysPath, s.ask(Keys, s.keys))
	mux.HandleFunc(loginPath, func(w http.ResponseWriter, r *http.Request) {
		s.Tokens.Asked(Login, bearer(r))
		writeHTML(w, http.StatusOK, portalPage)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusNotFound, refusal{"not_found", "no such method"})
	})
	return mux
}

// refusal has the shape that Connect servers give to errors; CoreWeave has not published its own.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ask counts before any fault: a program that meets a broken endpoint has asked all the same.
func (s *StandIn) ask(k Kind, answer func(http.ResponseWriter, Token)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, state := s.Tokens.Asked(k, bearer(r))
		if s.Faults.serve(w, r, s.Now()) {
			return
		}
		if state != Alive {
			writeJSON(w, http.StatusUnauthorized, refusal{"unauthenticated", "invalid or expired token"})
			return
		}
		answer(w, token)
	})
}

func (s *StandIn) whoami(w http.ResponseWriter, t Token) {
	type principal struct {
		UID            string   `json:"uid"`
		OrgUID         string   `json:"orgUid"`
		Groups         []string `json:"groups"`
		ConsoleActions []string `json:"consoleActions"`
	}
	writeJSON(w, http.StatusOK, struct {
		Principal principal `json:"principal"`
	}{principal{t.UID, t.OrgUID, t.groups(), []string{}}})
}

func (s *StandIn) clusters(w http.ResponseWriter, _ Token) {
	type item struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Zone     string `json:"zone"`
		Endpoint string `json:"apiServerEndpoint"`
		Status   string `json:"status"`
	}
	var items []item
	for _, c := range s.Clusters {
		items = append(items, item{c.ID, c.Name, c.Zone, c.Server, "STATUS_RUNNING"})
	}
	writeJSON(w, http.StatusOK, struct {
		Items []item `json:"items"`
	}{items})
}
