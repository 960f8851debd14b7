package main

import (
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/codenotary/immudb/cmd/version"
	"github.com/codenotary/immudb/pkg/server"
)

const immudbModule = "github.com/codenotary/immudb"

// setVersion makes the program tell the version of the immudb inside it, which
// replicas compare, and after it the one of immudoc. A build that sets nothing
// takes both from the modules it was built from.
func setVersion() {
	version.App = appName
	if info, ok := debug.ReadBuildInfo(); ok && version.Version == "" {
		for _, dep := range info.Deps {
			if dep.Path == immudbModule {
				version.Version = strings.TrimPrefix(dep.Version, "v")
			}
		}
		version.Commit = "immudoc " + info.Main.Version
	}

	// What the metrics endpoint answers under /version.
	server.Version = server.VersionResponse{
		Component: appName,
		Version:   version.Version + "-" + version.Commit,
		BuildTime: version.BuiltAt,
		BuiltBy:   version.BuiltBy,
		Static:    version.StaticBuild(),
		FIPS:      version.FIPSBuild(),
	}
	if seconds, err := strconv.ParseInt(version.BuiltAt, 10, 64); err == nil {
		server.Version.BuildTime = time.Unix(seconds, 0).Format(time.RFC1123)
	}
}
