package cloud

import (
	"cmp"
	"net/http"
	"time"
)

const (
	keysPath = "/v1/cwobject/temporary-credentials/api-token"
	keysLife = 15 * time.Minute
)

// keys answers in the form that AWS gives to the credentials of containers, as CoreWeave documents it. Each request
// gets other keys. They open nothing here, but they are treated as if they did.
func (s *StandIn) keys(w http.ResponseWriter, _ Token) {
	writeJSON(w, http.StatusOK, struct {
		AccessKeyID     string              `json:"AccessKeyId"`
		SecretAccessKey string              `json:"SecretAccessKey"`
		Token           string              `json:"Token"`
		Expiration      time.Time           `json:"Expiration"`
		Attributes      map[string]string   `json:"attributes"`
		MultiAttributes map[string][]string `json:"multiAttributes"`
	}{
		"CW" + random("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 14), "cwo" + random(alphabet, 40), random(alphabet, 120),
		s.Now().Add(cmp.Or(s.KeysLife, keysLife)).UTC().Truncate(time.Second), map[string]string{}, map[string][]string{},
	})
}
