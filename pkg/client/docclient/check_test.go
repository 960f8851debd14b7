package docclient

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// checked does a check to its end.
func checked(ctx context.Context, c *Client, o CheckOptions) (*CheckSummary, []*Finding, error) {
	check := c.Check(ctx, o)
	var findings []*Finding
	for f, err := range check.Findings() {
		if err != nil {
			return check.Summary(), findings, err
		}
		findings = append(findings, f)
	}
	return check.Summary(), findings, nil
}

// What is verified of a check is which state it is about.
func TestCheckOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	first := insert(t, l.Client, coll, `{"_id":1}`)[0].Tx
	insert(t, l.Client, coll, `{"_id":2}`)
	before := trusted(t, l.Client)

	var progress []CheckProgress
	o := CheckOptions{Collections: []string{coll}, Progress: func(p CheckProgress) { progress = append(progress, p) }}
	s, findings, err := checked(ctx, l.Client, o)
	require.NoError(t, err)
	require.Empty(t, findings)
	require.True(t, s.Verified)
	require.GreaterOrEqual(t, s.State.TxID, before)
	require.EqualValues(t, 2, s.Documents)
	require.NotEmpty(t, progress)
	past, _, err := checked(ctx, l.Client, CheckOptions{Collections: []string{coll}, ToTx: first})
	require.NoError(t, err)
	require.Equal(t, []uint64{first, 1}, []uint64{past.State.TxID, past.Documents})
	before = trusted(t, l.Client)

	lying := func(change func(*documentschema.CheckSummary)) func(any) {
		return func(reply any) {
			if r, ok := reply.(*documentschema.CheckResponse); ok && r.Summary != nil {
				change(r.Summary)
			}
		}
	}
	for name, c := range map[string]struct {
		lie   func(*documentschema.CheckSummary)
		to    uint64
		check string
	}{
		"an older state": {func(s *documentschema.CheckSummary) {
			s.State.Transaction, s.State.Alh = past.State.TxID, past.State.Alh[:]
		}, 0, proof.CheckState},
		"a transaction not asked for": {func(s *documentschema.CheckSummary) { s.State.Transaction-- }, first, proof.CheckState},
		"another database":            {func(s *documentschema.CheckSummary) { s.State.Database = "other" }, 0, proof.CheckDatabase},
		"no hash":                     {func(s *documentschema.CheckSummary) { s.State.Alh = nil }, 0, proof.CheckState},
		"no state":                    {func(s *documentschema.CheckSummary) { s.State = nil }, 0, proof.CheckState},
	} {
		t.Run(name, func(t *testing.T) {
			l.lie = lying(c.lie)
			s, _, err := checked(ctx, l.Client, CheckOptions{Collections: []string{coll}, ToTx: c.to})
			l.refusal(t, c.check, before, err)
			require.Nil(t, s)
		})
	}
	for name, to := range map[string]uint64{"another hash, now": 0, "another hash, then": first} {
		t.Run(name, func(t *testing.T) {
			l.lie = lying(func(s *documentschema.CheckSummary) { s.State.Alh[5] ^= 1 })
			s, _, err := checked(ctx, l.Client, CheckOptions{Collections: []string{coll}, ToTx: to})
			l.lie = nil
			require.ErrorIs(t, err, ErrVerification)
			require.Nil(t, s)
			require.Equal(t, before, trusted(t, l.Client))
		})
	}

	// A finding is passed on as it is, and whoever leaves gets no summary.
	l.lie = func(reply any) {
		if r, ok := reply.(*documentschema.CheckResponse); ok {
			r.Findings = []*documentschema.Finding{{Rule: "index", Transaction: 7, Collection: "c", Id: []byte(`"x"`), Index: "n", Detail: "wrong"}}
		}
	}
	_, findings, err = checked(ctx, l.Client, CheckOptions{})
	require.NoError(t, err)
	require.Equal(t, Finding{Rule: "index", Tx: 7, Collection: "c", ID: value.String("x"), Index: "n", Detail: "wrong"}, *findings[0])
	left := l.Check(ctx, CheckOptions{})
	for f, err := range left.Findings() {
		require.NoError(t, err)
		require.Equal(t, "wrong", f.Detail)
		break
	}
	require.Nil(t, left.Summary())
	l.lie = nil
}
