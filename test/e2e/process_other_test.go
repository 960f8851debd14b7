//go:build !linux

package e2e

import "os/exec"

func startProcess(cmd *exec.Cmd) error { return cmd.Start() }
