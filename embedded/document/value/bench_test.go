package value_test

import (
	"testing"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// order500 is a document of about 500 bytes as applications store them.
const order500 = `{"customer":{"name":"Ada Lovelace","email":"ada@example.org","address":{"street":"12 St James's Square",` +
	`"city":"London","zip":"SW1Y 4JH"}},"number":100042,"status":"shipped","total":{"$numberDecimal":"149.90"},"paid":true,` +
	`"currency":"GBP","created":{"$date":"2024-05-17T09:30:00.25Z"},"lines":[{"sku":"A-1001","quantity":2,"price":24.95,` +
	`"tags":["book","gift"]},{"sku":"B-2002","quantity":1,"price":100.0,"tags":["hardware"]}],"weight":3.75,"notes":null,` +
	`"tracking":"JD014600003RQ","attempts":1,"customs":{"code":"49019900","origin":"GB"}}`

func BenchmarkParseJSON(b *testing.B) {
	data := []byte(order500)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := value.ParseJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	v := parse(b, order500)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = v.AppendJSON(dst[:0])
	}
}

func BenchmarkMergePatch(b *testing.B) {
	v, patch := parse(b, order500), parse(b, `{"status":"delivered","customer":{"address":{"zip":"SW1Y 4LE"}},"notes":"left at door"}`)
	b.ReportAllocs()
	for b.Loop() {
		value.MergePatch(v, patch)
	}
}

func BenchmarkCompareDecimals(b *testing.B) {
	x, y := parse(b, "1e1000000000"), parse(b, "123456789012345678901234567890.5")
	b.ReportAllocs()
	for b.Loop() {
		value.Compare(x, y)
	}
}
