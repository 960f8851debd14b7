package dataset

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// A made-up country with the irregularities of the real data: districts named by
// the second half of their parent's code or by all of it, a country without
// anything, a currency of nobody's.
func isoCodes() fstest.MapFS {
	return fstest.MapFS{
		"iso_3166-1.json": {Data: []byte(`{"3166-1":[
			{"alpha_2":"QZ","alpha_3":"QZZ","numeric":"007","name":"Quz","official_name":"Kingdom of Quz","flag":"🏴"},
			{"alpha_2":"QA","alpha_3":"QAA","numeric":"900","name":"Qa <&>"}]}`)},
		"iso_3166-2.json": {Data: []byte(`{"3166-2":[
			{"code":"QZ-S","name":"South","type":"Region"},
			{"code":"QZ-2","name":"Second","type":"District","parent":"S"},
			{"code":"QZ-1","name":"First","type":"District","parent":"QZ-S"},
			{"code":"QZ-N","name":"Nörd","type":"Region"}]}`)},
		"iso_4217.json": {Data: []byte(`{"4217":[
			{"alpha_3":"QZD","numeric":"008","name":"Quzian Dinar"},{"alpha_3":"XTS","numeric":"963","name":"Testing"}]}`)},
	}
}

func TestCountryDocuments(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, WriteCountries(&out, isoCodes()))
	require.Equal(t,
		`{"_id":"QA","name":"Qa <&>","codes":{"alpha3":"QAA","numeric":"900"},"currencies":[],"subdivisions":[]}`+"\n"+
			`{"_id":"QZ","name":"Quz","officialName":"Kingdom of Quz","flag":"🏴","codes":{"alpha3":"QZZ","numeric":"007"},`+
			`"currencies":[{"code":"QZD","numeric":"008","name":"Quzian Dinar"}],`+
			`"subdivisions":[{"code":"QZ-N","name":"Nörd","type":"Region"},{"code":"QZ-S","name":"South","type":"Region","subdivisions":[`+
			`{"code":"QZ-1","name":"First","type":"District"},{"code":"QZ-2","name":"Second","type":"District"}]}],`+
			`"subdivisionTypes":{"District":2,"Region":2}}`+"\n", out.String())
}

func TestCountriesRefused(t *testing.T) {
	subdivisions := func(json string) func(fstest.MapFS) {
		return func(f fstest.MapFS) {
			f["iso_3166-2.json"] = &fstest.MapFile{Data: []byte(`{"3166-2":[` + json + `]}`)}
		}
	}
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		says   string
	}{
		"file missing": {func(f fstest.MapFS) { delete(f, "iso_4217.json") }, "iso_4217.json is missing"},
		"not JSON":     {func(f fstest.MapFS) { f["iso_4217.json"] = &fstest.MapFile{Data: []byte("{")} }, "iso_4217.json: unexpected"},
		"other list":   {func(f fstest.MapFS) { f["iso_4217.json"] = &fstest.MapFile{Data: []byte(`{"x":[]}`)} }, `no entries under "4217"`},
		"no country":   {subdivisions(`{"code":"QZ"}`), `"QZ" names no country`},
		"ring":         {subdivisions(`{"code":"QZ-1","parent":"2"},{"code":"QZ-2","parent":"1"}`), "part of itself"},
		"no parent":    {subdivisions(`{"code":"QZ-1","parent":"9"}`), `part of "QZ-9", which is not listed`},
	} {
		t.Run(name, func(t *testing.T) {
			folder := isoCodes()
			c.change(folder)
			err := WriteCountries(&bytes.Buffer{}, folder)
			require.ErrorContains(t, err, c.says)
		})
	}
	require.ErrorIs(t, WriteCountries(&bytes.Buffer{}, fstest.MapFS{}), ErrNoISOCodes)
}
