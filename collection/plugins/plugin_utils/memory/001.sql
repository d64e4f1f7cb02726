-- SPDX-License-Identifier: GPL-3.0-or-later
-- history.db, schema 1. Derived from the run directories; what is documented are the views, the tables may change.
CREATE TABLE run (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, slot TEXT NOT NULL, "trigger" TEXT NOT NULL,
  created TEXT NOT NULL, window_s REAL, series TEXT NOT NULL, hosts INTEGER NOT NULL, covered INTEGER NOT NULL,
  critical INTEGER NOT NULL, warning INTEGER NOT NULL, info INTEGER NOT NULL, news TEXT NOT NULL, raw INTEGER NOT NULL,
  kept INTEGER NOT NULL, stamp TEXT NOT NULL
);
CREATE INDEX run_name ON run (name, id);
CREATE TABLE host (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE measure (
  number INTEGER PRIMARY KEY, probe TEXT NOT NULL, "table" TEXT NOT NULL, measure TEXT NOT NULL,
  UNIQUE (probe, "table", measure)
);
CREATE TABLE coverage (
  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, host INTEGER NOT NULL, "set" TEXT NOT NULL, kernel TEXT NOT NULL,
  covered INTEGER NOT NULL, PRIMARY KEY (run, host)
) WITHOUT ROWID;
CREATE TABLE probe (
  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, probe TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (run, probe)
) WITHOUT ROWID;
CREATE TABLE figure (
  measure INTEGER NOT NULL, run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, host INTEGER NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (measure, run, host)
) WITHOUT ROWID;
CREATE INDEX figure_run ON figure (run);
CREATE TABLE finding (
  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, fingerprint TEXT NOT NULL, state TEXT NOT NULL,
  transition TEXT NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL, probe TEXT NOT NULL,
  "table" TEXT NOT NULL, measure TEXT NOT NULL, sentence TEXT NOT NULL, value REAL, since TEXT NOT NULL,
  last_normal TEXT NOT NULL
);
CREATE INDEX finding_run ON finding (run);

CREATE VIEW runs AS SELECT id, name AS sweep, slot, "trigger", created, window_s, series, hosts, covered, critical, warning,
  info, news, raw, kept FROM run;
CREATE VIEW coverage_of_hosts AS SELECT run.id AS run, run.name AS sweep, host.name AS host, "set", kernel,
  coverage.covered AS covered FROM coverage JOIN run ON run.number = coverage.run JOIN host ON host.number = coverage.host;
CREATE VIEW probes AS SELECT run.id AS run, run.name AS sweep, probe, hash FROM probe JOIN run ON run.number = probe.run;
CREATE VIEW figures AS SELECT run.id AS run, run.name AS sweep, host.name AS host, probe, "table",
  measure.measure AS measure, value
  FROM figure JOIN measure ON measure.number = figure.measure JOIN run ON run.number = figure.run
  JOIN host ON host.number = figure.host;
CREATE VIEW findings AS SELECT run.id AS run, run.name AS sweep, fingerprint, state, transition, severity, kind, who, probe,
  "table", measure, sentence, value, since, last_normal FROM finding JOIN run ON run.number = finding.run;
