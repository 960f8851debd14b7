package documentschema_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

const restPrefix = "/api/immudoc/v1/"

func methods() protoreflect.MethodDescriptors {
	return documentschema.File_immudoc_v1_service_proto.Services().ByName("DocumentService").Methods()
}

// httpPattern returns the verb and the path of a method's REST form.
func httpPattern(t *testing.T, m protoreflect.MethodDescriptor) (verb, path string) {
	t.Helper()
	require.True(t, proto.HasExtension(m.Options(), annotations.E_Http), "%s has no REST form", m.Name())
	rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	switch p := rule.Pattern.(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get
	case *annotations.HttpRule_Put:
		return "PUT", p.Put
	case *annotations.HttpRule_Post:
		return "POST", p.Post
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete
	}
	require.Failf(t, "unknown REST form", "%s: %T", m.Name(), rule.Pattern)
	return "", ""
}

// Every method can be reached over REST, each under a place of its own.
func TestEveryMethodHasARESTForm(t *testing.T) {
	taken := map[string]protoreflect.Name{}
	for i := range methods().Len() {
		m := methods().Get(i)
		verb, path := httpPattern(t, m)
		require.True(t, strings.HasPrefix(path, restPrefix), "%s is at %s", m.Name(), path)
		require.NotContains(t, taken, verb+" "+path, "%s", m.Name())
		taken[verb+" "+path] = m.Name()
	}
	require.NotEmpty(t, taken)
}

// Operation numbers are those of the manifest.
func TestOperationNumbersAreTheManifests(t *testing.T) {
	require.EqualValues(t, 1, documentschema.Operation_OPERATION_INSERT)
	require.EqualValues(t, 2, documentschema.Operation_OPERATION_REPLACE)
	require.EqualValues(t, 3, documentschema.Operation_OPERATION_UPDATE)
	require.EqualValues(t, 4, documentschema.Operation_OPERATION_DELETE)
}
