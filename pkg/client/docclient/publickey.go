package docclient

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

// ReadPublicKey reads the PEM file of the public key with which a server signs
// its states (the counterpart of immudb's --signingKey).
func ReadPublicKey(file string) (*ecdsa.PublicKey, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("docclient: signing key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("docclient: signing key %s: no PEM block", file)
	}
	if strings.Contains(block.Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("docclient: signing key %s: it holds a private key; the public one is wanted (openssl ec -in KEY -pubout)", file)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("docclient: signing key %s: %w", file, err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("docclient: signing key %s: a %T, immudb signs with ECDSA", file, key)
	}
	return public, nil
}
