package docclient

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

// writeKey writes a public key as PEM and returns the file's name.
func writeKey(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
	return name
}

func TestReadPublicKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	got, err := ReadPublicKey(writeKey(t, key.Public()))
	require.NoError(t, err)
	require.True(t, key.PublicKey.Equal(got))
}

func TestReadPublicKeyRefused(t *testing.T) {
	other, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, err = ReadPublicKey(writeKey(t, other))
	require.ErrorContains(t, err, "immudb signs with ECDSA")

	name := filepath.Join(t.TempDir(), "x.pem")
	_, err = ReadPublicKey(name)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
	_, err = ReadPublicKey(name)
	require.ErrorContains(t, err, "no PEM block")
	require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), 0o600))
	_, err = ReadPublicKey(name)
	require.Error(t, err)
}
