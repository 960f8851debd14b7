package doc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// maxEvidence bounds one evidence file, or one line of a file of several, in bytes:
// that of the largest document a server takes is smaller.
const maxEvidence = 256 << 20

// evidenceFile is what a file that is to be verified holds: one evidence file, or
// several, one a line.
type evidenceFile struct {
	one   []byte                     // nil if there are several
	lines iter.Seq2[numbered, error] // of several; what cannot be read is an error and ends them
}

// numbered is a line and its number, from 1.
type numbered struct {
	number int
	text   []byte // without the line feed, valid until the next line
}

// readEvidence tells one evidence file from several. Several are one a line without
// line feeds inside, so the first line of such a file is JSON by itself, or would be
// if nobody had changed it: then it still ends as JSON does, and the file as a whole
// is not JSON. Lines are read as they are asked for.
func readEvidence(r io.Reader) (*evidenceFile, error) {
	in := &lineReader{in: bufio.NewReaderSize(r, 64<<10)}
	first, err := in.next()
	if errors.Is(err, io.EOF) {
		return nil, &proof.CheckError{Check: proof.CheckFile, Detail: "there is no evidence in it"}
	}
	if err != nil {
		return nil, err
	}
	first.text = bytes.Clone(first.text)
	if json.Valid(first.text) {
		second, err := in.next()
		if errors.Is(err, io.EOF) {
			return &evidenceFile{one: first.text}, nil
		}
		if err != nil {
			return nil, err
		}
		second.text = bytes.Clone(second.text)
		return &evidenceFile{lines: in.after(first, second)}, nil
	}
	rest, err := io.ReadAll(io.LimitReader(in.in, maxEvidence+1))
	if err != nil {
		return nil, err
	}
	whole := slices.Concat(first.text, []byte("\n"), rest)
	several := bytes.HasSuffix(first.text, []byte("}")) && len(bytes.TrimSpace(rest)) > 0 && (len(rest) > maxEvidence || !json.Valid(whole))
	switch {
	case several:
		in.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(rest), in.in), 64<<10)
		return &evidenceFile{lines: in.after(first)}, nil
	case len(rest) > maxEvidence:
		return nil, fmt.Errorf("it is larger than %d MiB, the limit of one evidence file", maxEvidence>>20)
	default:
		return &evidenceFile{one: whole}, nil
	}
}

// lineReader reads the lines of a file that are not empty.
type lineReader struct {
	in     *bufio.Reader
	number int
	buffer []byte
}

// next returns a line, [io.EOF] behind the last one.
func (r *lineReader) next() (numbered, error) {
	for {
		r.buffer = r.buffer[:0]
		r.number++
		for {
			part, err := r.in.ReadSlice('\n')
			r.buffer = append(r.buffer, part...)
			if len(r.buffer) > maxEvidence {
				return numbered{}, fmt.Errorf("line %d is longer than %d MiB, the limit", r.number, maxEvidence>>20)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if err != nil && (!errors.Is(err, io.EOF) || len(r.buffer) == 0) {
				return numbered{}, err
			}
			break
		}
		if text := bytes.TrimSpace(r.buffer); len(text) > 0 {
			return numbered{r.number, text}, nil
		}
	}
}

// after yields lines that were read already, and then those that follow.
func (r *lineReader) after(read ...numbered) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		for _, line := range read {
			if !yield(line, nil) {
				return
			}
		}
		for {
			line, err := r.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}
