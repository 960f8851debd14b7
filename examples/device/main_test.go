package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDeviceKeepsItsReadings(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, run(context.Background(), []string{dir}))
	require.NoError(t, run(context.Background(), []string{dir}))
	require.Error(t, run(context.Background(), nil))
}

// Devices are often 32-bit ARM and have no C library to link with.
func TestBuildsForARMWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "device"), ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm", "GOARM=6", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
