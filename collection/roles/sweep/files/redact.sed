# SPDX-License-Identifier: GPL-3.0-or-later
#
# Takes secrets out of what a session printed, on the probed host, before anything is brought back:
#
#     LC_ALL=C sed -E -f redact.sed <printed >without_secrets
#
# What gives itself away as a secret becomes ***: the value of a name such as password, token or api_key, the
# password of a URL, the well-known shapes of keys and tokens. The name stays, so that the row still says what it was.
#
# A record must come out with the fields it had. So no rule takes a tab or a newline, and none looks further than a
# bounded number of characters before it has decided: the time is proportional to the size, whatever a process prints.
# Inside a line a newline can only be a mark of ours: <newline>V where a secret begins, <newline>B where one must end.
# Each line that was changed is told as "r" on standard error, to be counted.

:line
# Most lines hold none of these, and are done here.
/pass|pwd|secret|token|key|credential|auth|cookie|bearer|sig|sess|:\/\/|eyJ|A[KS]IA|gh[oprsu]_|github_pat|gl[a-z]{2,5}-|xox|sk[-_]|AIza|hvs\.|npm_|mysql|mariadb|curl|redis|ldap|ipmitool|smbclient/I!b

# The end of a name in a call trace, `name(12): ->function`, and of a string in a line of JSON.
s/\([0-9]{1,10}\): *(->|<-)/\nB&/g
/^[ \t]*[[{]/{
    s/"/\nB"/g
    s/\\\nB"/\\"/g
}

# name=value, name: value, "name":"value", --name value
s/(pass(word|wd|code|[_-]?phrase)?|secret|token|credential|signature|_auth|(api|access|account|auth|encryption|master|private|secret|session|shared|signing)[_-]?key|sess(ion)?id|[-_.;&?]pwd|[?&;]sig)[s0-9]?(_base|_hash|_value)?(\\?["']|\nB")? ?[:=]>? ?(\nB")?/&\nV/Ig
s/(\nB")\nV/\1\nS/g
s/-(pass(word|wd|code|[_-]?phrase)?|secret|token|(api|access|auth|private|secret)[_-]?key)s? ([^ \t\n-])/-\1 \nV\4/Ig

# Authorization: Bearer abc, Cookie: a=b; c=d
s/(authorization(\\?["']|\nB")? ?[:=] ?(\nB")?((basic|bearer|token|negotiate|ntlm) )?)(\nV)?/\1\nV/Ig
s/(\nV|)(digest|aws4-hmac-sha256) [^\t\n]*/\2 ***/Ig
s/(cookie: ?)[^\t\n]*/\1***/Ig
s#(bearer )([a-z0-9._~+/-]{6})#\1\nV\2#Ig

# Options that say nothing by their names.
/mysql|mariadb|sshpass/I s/( -p ?)([^ \t\n-])/\1\nV\2/g
/curl|wget/I s/( (-[a-z]{0,6}[uU]|--(proxy-)?user)[ =]?[^: \t\n]{0,100}:)/\1\nV/Ig
/redis-cli/ s/( -a )/\1\nV/g
/ldap/ s/( -w ?)([^ \t\n-])/\1\nV\2/g
/ipmitool/ s/( -P ?)([^ \t\n-])/\1\nV\2/g
/smbclient/ s/( -U ?[^% \t\n]{1,100}%)/\1\nV/g

t redact
:redact
# scheme://user:password@
s#(://[^][/:@ \t\n]*:)[^/ \t\n]+@#\1***@#g
s#(://[^][/:@ \t\n]*:)[0-9]{0,20}[^]0-9/@ \t\n][^@ \t\n]{0,100}@#\1***@#g
s/A(KI|SI|RO|ID)A[A-Z0-9]{16}/***/g
s/eyJ[A-Za-z0-9_-]{10}[A-Za-z0-9_.=-]*/***/g
s/(gh[oprsu]_|github_pat_|gl(pat|dt|rt|ptt|cbt|soat|ft|imt|agent)-|xox[abeoprs]-|xapp-|sk-|[rs]k_live_|AIza|hvs\.|npm_)[A-Za-z0-9_-]{10}[A-Za-z0-9_.-]*/\1***/g
s/(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)[^\t\n]+/\1***/g
s/\nS[^\n]+/***/g
s/\nV("[^"\t\n]*|\\"[^"\t\n]*|'[^'\t\n]*|[^ \t\n])[^ \t\n]*/***/g
t changed
s/\n[VSB]//g
b pem

:changed
s/\n[VSB]//g
h
s/.*/r/
w /dev/stderr
g

:pem
# A key that was printed as the lines it has.
/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----(\*\*\*)?$/!b
:body
n
s#^([A-Za-z0-9+/=]{1,100}|(Proc-Type|DEK-Info): [^\t]{1,80}|)\r?$#***#
t body
b line
