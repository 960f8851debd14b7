package e2e

import (
	"os/exec"
	"runtime"
	"syscall"
)

// starts are the processes to start. They are all started by one thread that
// never ends: the kernel kills them when it does, so that no process outlives
// the tests, however these end.
var starts = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
}

func startProcess(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	starts <- func() { done <- cmd.Start() }
	return <-done
}
