package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/codenotary/immudb/pkg/auth"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

// TestScripts runs the scripts in testdata/script: command lines of immuclient
// and what they print. Each has a server and a folder of its own, which is also
// its home folder. Beside testscript's commands they have
//
//	server start [signed]      start the server; signed: it signs its states (server.pub; other.pub is of another key)
//	server stop
//	user NAME PASSWORD r|rw    create a user of defaultdb
//	normalise [stderr]         write what was printed to the file normal, with the
//	                           same word for every time, hash, made id and size
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := newServer(t, programs.immudb, filepath.Join(t.TempDir(), "data"))
			testscript.Run(t, testscript.Params{
				Files:         []string{file},
				UpdateScripts: *update,
				Setup: func(env *testscript.Env) error {
					env.Setenv("HOME", env.WorkDir)
					env.Setenv("DATA", s.dir)
					env.Setenv("IMMUCLIENT_IMMUDB_PORT", strconv.Itoa(s.port))
					env.Setenv("IMMUCLIENT_USERNAME", admin)
					env.Setenv("IMMUCLIENT_PASSWORD", admin)
					env.Setenv("PATH", filepath.Dir(programs.immuclient)+string(os.PathListSeparator)+env.Getenv("PATH"))
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"server": s.scriptServer,
					"user":   s.scriptUser,

					"normalise": scriptNormalise,
				},
			})
		})
	}
}

func (s *server) scriptServer(ts *testscript.TestScript, neg bool, args []string) {
	switch what := strings.Join(args, " "); {
	case neg:
		ts.Fatalf("server cannot be expected to fail")
	case what == "stop":
		s.stop()
	case what == "start signed":
		key := writeKeys(ts, "server")
		writeKeys(ts, "other")
		s.flags = append(s.flags, "--signingKey", key)
		fallthrough
	case what == "start":
		ts.Check(s.tryStart())
	default:
		ts.Fatalf("usage: server start [signed] | server stop")
	}
}

// writeKeys makes a pair of keys, NAME.key and NAME.pub in the script's folder,
// and returns the file of the private one.
func writeKeys(ts *testscript.TestScript, name string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	private, err := x509.MarshalECPrivateKey(key)
	ts.Check(err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	ts.Check(err)
	file := ts.MkAbs(name + ".key")
	ts.Check(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(name+".pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600))
	return file
}

func (s *server) scriptUser(ts *testscript.TestScript, neg bool, args []string) {
	permissions := map[string]uint32{"r": auth.PermissionR, "rw": auth.PermissionRW}
	if neg || len(args) != 3 || permissions[args[2]] == 0 {
		ts.Fatalf("usage: user NAME PASSWORD r|rw")
	}
	c := s.connect()
	ts.Check(c.Immudb().CreateUser(timeout(s.t), []byte(args[0]), []byte(args[1]), permissions[args[2]], database))
}

// normal are the parts of the output that are never the same.
var normal = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`"bytes":\d+`), `"bytes":SIZE`},
	{regexp.MustCompile(`"ts": ?\d+`), `"ts": SECONDS`},
	{regexp.MustCompile(`"[A-Za-z0-9+/]{22,}={0,2}"`), `"BASE64"`},
}

func scriptNormalise(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 || len(args) == 1 && args[0] != "stderr" {
		ts.Fatalf("usage: normalise [stderr]")
	}
	text := ts.ReadFile(append(args, "stdout")[0])
	for _, n := range normal {
		text = n.pattern.ReplaceAllString(text, n.word)
	}
	ts.Check(os.WriteFile(ts.MkAbs("normal"), []byte(text), 0o644))
}
