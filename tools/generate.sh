#!/bin/sh
# Lints the protocol buffer sources and writes the Go code that is generated
# from them. Everything it needs comes through the Go module proxy: the tools at
# the versions of tools/proto/go.mod, google.api's annotations out of the
# grpc-gateway module named below. Running it twice changes nothing.
set -eu

cd "$(dirname "$0")/.."
root=$(pwd)

annotations_module=github.com/grpc-ecosystem/grpc-gateway@v1.16.0

echo "building the generators (minutes the first time)"
go build -C tools/proto -o "$root/bin/tools/" \
	github.com/bufbuild/buf/cmd/buf \
	github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway \
	google.golang.org/grpc/cmd/protoc-gen-go-grpc \
	google.golang.org/protobuf/cmd/protoc-gen-go

annotations=$(go mod download -json "$annotations_module" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
rm -rf build/proto
mkdir -p build/proto/google/api
for file in annotations.proto http.proto; do
	cp "$annotations/third_party/googleapis/google/api/$file" build/proto/google/api/
	chmod u+w "build/proto/google/api/$file"
done

echo "linting pkg/api/documentschema"
bin/tools/buf lint
bin/tools/buf format --diff --exit-code pkg/api/documentschema

echo "generating pkg/api/documentschema"
rm -f pkg/api/documentschema/*.pb.go pkg/api/documentschema/*.pb.gw.go
bin/tools/buf generate
