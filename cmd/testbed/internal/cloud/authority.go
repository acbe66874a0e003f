package cloud

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority is a CA that lives as long as the process: its key is never written.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	from time.Time
}

// NewAuthority is valid for ten years from an hour before now: a test may set its clock back a little or forward a lot.
func NewAuthority(now time.Time) (*Authority, error) {
	a := &Authority{from: now.Add(-time.Hour)}
	template := a.template("cwagent testbed CA")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	var err error
	if a.key, err = newKey(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign CA certificate: %w", err)
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// PEM is what a client has to trust.
func (a *Authority) PEM() []byte { return encode("CERTIFICATE", a.cert.Raw) }

// Pool is the same for Go.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Server issues a certificate for 127.0.0.1 and localhost.
func (a *Authority) Server() (tls.Certificate, error) {
	t := a.template("cwagent testbed")
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	t.DNSNames = []string{"localhost"}
	return a.issue(t)
}

// Admin issues a client certificate of the cluster's administrator.
func (a *Authority) Admin() (tls.Certificate, error) {
	t := a.template("testbed")
	t.Subject.Organization = []string{"system:masters"}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(t)
}

func (a *Authority) template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    a.from,
		NotAfter:     a.from.AddDate(10, 0, 0),
	}
}

func (a *Authority) issue(template *x509.Certificate) (tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("sign certificate %q: %w", template.Subject.CommonName, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// EncodePair gives a certificate and its key to a program that wants them in files. An API server finds the public half
// of a key only in this older form, not in PKCS #8.
func EncodePair(c tls.Certificate) (cert, key []byte, err error) {
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return nil, nil, fmt.Errorf("encode private key: %w", err)
	}
	return encode("CERTIFICATE", c.Certificate[0]), encode("EC PRIVATE KEY", der), nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make private key: %w", err)
	}
	return key, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
