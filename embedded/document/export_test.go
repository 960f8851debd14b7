package document

import "time"

// WithClock gives an engine another clock than the computer's.
func (o AttachOptions) WithClock(now func() time.Time) AttachOptions {
	o.clock = now
	return o
}
