package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/client"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/credentials"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue writes NAME.pem and NAME.key, signed by the authority or, if it is the
// first, by itself.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	secret, err := x509.MarshalECPrivateKey(key)
	require.NoError(a.t, err)
	writeFile(a.t, a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(a.t, a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// member issues a certificate for a server or a client on this machine.
func (a *authority) member(name string) {
	a.issue(name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// With mutual TLS, documents go over the same connection as everything else, and
// nobody comes in without a certificate.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	a.member("server")
	a.member("client")
	stranger.member("client")
	s := newServer(t, programs.immudb, filepath.Join(t.TempDir(), "data"), "--mtls",
		"--certificate", a.file("server.pem"), "--pkey", a.file("server.key"), "--clientcas", a.file("ca.pem"))
	pair, err := tls.LoadX509KeyPair(a.file("client.pem"), a.file("client.key"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	s.transport = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: "localhost", Certificates: []tls.Certificate{pair}, RootCAs: roots})
	s.start()

	options := func(a *authority) *docclient.Options {
		o := s.options(as(t, database))
		return o.WithImmudb(o.Immudb.WithMTLs(true).WithMTLsOptions(client.MTLsOptions{
			Servername: "localhost", Certificate: a.file("client.pem"), Pkey: a.file("client.key"), ClientCAs: a.file("ca.pem"),
		}))
	}
	c, err := docclient.Open(timeout(t), options(a))
	require.NoError(t, err)
	t.Cleanup(func() { closeClient(c) })
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, 100, 50)
	requireOrders(t, c, "orders", 100)

	flags := []string{"--mtls", "--servername", "localhost", "--certificate", a.file("client.pem"), "--pkey", a.file("client.key"), "--clientcas", a.file("ca.pem")}
	out := s.must(t.TempDir(), append([]string{"doc", "count", "orders"}, flags...)...)
	require.Equal(t, "100", strings.TrimSpace(out))

	_, err = docclient.Open(timeout(t), options(stranger))
	require.Error(t, err)
	_, err = s.tryConnect(as(t, database))
	require.Error(t, err)
	r := s.immuclient(t.TempDir(), "doc", "count", "orders")
	require.Equal(t, 1, r.code)
	require.Empty(t, r.stdout)
}
