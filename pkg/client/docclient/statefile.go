package docclient

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/rogpeppe/go-internal/lockedfile"
	"google.golang.org/protobuf/proto"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// ErrStateFile is wrapped by the errors of [ParseStates].
var ErrStateFile = errors.New("docclient: not a state file")

// ParseStates reads the trusted states in a file, one a database. The file is
// either one that immudb's clients keep (.state-UUID), whose lines are a
// database's name, a colon and the base64 of immudb's ImmutableState message, or
// one JSON object. immuclient's own commands leave the name before the colon
// empty; the state has it too. A database may then have two states.
//
//	{"database": "defaultdb", "txId": 42, "txHash": "hex or base64 of 32 bytes"}
//
// txId may be a string, as in immudb's REST answers.
func ParseStates(b []byte) ([]proof.TrustedState, error) {
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && trimmed[0] == '{' {
		state, err := parseJSONState(trimmed)
		if err != nil {
			return nil, err
		}
		return []proof.TrustedState{state}, nil
	}
	var states []proof.TrustedState
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		// A database's name holds no colon, and neither does base64.
		database, encoded, ok := strings.Cut(line, ":")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		var state schema.ImmutableState
		if !ok || err != nil || proto.Unmarshal(raw, &state) != nil || database == "" && state.GetDb() == "" {
			return nil, fmt.Errorf("%w: line %d", ErrStateFile, n)
		}
		if database == "" {
			database = state.GetDb()
		}
		a, err := anchorOf(&state)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrStateFile, n, err)
		}
		states = append(states, proof.TrustedState{Database: database, State: a.State})
	}
	if len(states) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrStateFile)
	}
	return states, nil
}

// checkStateFile refuses a server's state file if nothing can be read in it.
// immudb's clients take what they do not understand for nothing, and would trust
// the server anew.
func checkStateFile(file string) error {
	b, err := os.ReadFile(file)
	if err == nil && unreadable(b) != nil {
		b, err = lockedfile.Read(file) // somebody was writing it, perhaps
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = unreadable(b)
	}
	if err != nil {
		return fmt.Errorf("docclient: %s: %w (it holds what is trusted of the server; restore it, or move it out of the folder to trust the server anew)", file, err)
	}
	return nil
}

// unreadable is why a state file that is not empty cannot be read.
func unreadable(b []byte) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	_, err := ParseStates(b)
	return err
}

func parseJSONState(b []byte) (proof.TrustedState, error) {
	var in struct {
		Database string      `json:"database"`
		TxID     json.Number `json:"txId"`
		TxHash   string      `json:"txHash"`
	}
	var out proof.TrustedState
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return out, fmt.Errorf("%w: %w", ErrStateFile, err)
	}
	if dec.More() {
		return out, fmt.Errorf("%w: data after the object", ErrStateFile)
	}
	tx, err := strconv.ParseUint(in.TxID.String(), 10, 64)
	if err != nil {
		return out, fmt.Errorf("%w: txId: %w", ErrStateFile, err)
	}
	hash, err := hex.DecodeString(in.TxHash)
	if err != nil {
		hash, err = base64.StdEncoding.DecodeString(in.TxHash)
	}
	if err != nil || len(hash) != proof.HashSize {
		return out, fmt.Errorf("%w: txHash is not the hex or base64 of %d bytes", ErrStateFile, proof.HashSize)
	}
	if in.Database == "" {
		return out, fmt.Errorf("%w: no database", ErrStateFile)
	}
	return proof.TrustedState{Database: in.Database, State: proof.State{TxID: tx, Alh: proof.Hash(hash)}}, nil
}
