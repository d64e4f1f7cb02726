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
# Inside a line a newline can only be a mark of ours: <newline>V where a secret begins (S: one that a string holds), B
# where one must end, K and L where one begins if it looks made by a machine. A name begins at a word, so that bypass=12
# is none, and a mark is taken away again where the value is a count, a path or an answer such as "yes".
# Each line that was changed is told as "r" on standard error, to be counted.

:line
# Most lines hold none of these, and are done here.
/pass|pwd|pw[= ]|-pin|secret|token|key|cred|auth|cookie|bearer|sig|sess|jwt|digest|:\/\/|eyJ|A[KSR][IO]A|gh[oprsu]_|github_pat|gl[a-z]{2,5}-|xox|xapp|sk[-_]|[rs]k_live|AIza|hvs\.|npm_|mysql|mariadb|mongo|curl|wget|redis|ldap|ipmitool|sqlcmd|smbclient|snmp|openssl|login|cqlsh|rabbitmq|rdesktop|freerdp|net use|zip|7z|rar |user(add|mod)|expect|kinit|sudo|cryptsetup|contrase|senha|wachtwoord|пароль|\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c/I!b

# The end of a name in a call trace, `name(12): ->function`, and of a string in a line of JSON.
s/\([0-9]{1,10}\): *(->|<-)/\nB&/g
/^[ \t]*[[{]/{
    s/"/\nB"/g
    s/\\\nB"/\\"/g
}

# --name value, name=value, name: value, "name":"value"
s/(^|[^a-z0-9])--?(([a-z0-9_-]{0,40}[_-])?(pass(code)?|pwd|creds?)|[a-z0-9_-]{0,40}(passw(or)?d|(store|key)pass|pass[_-]?phrase|secret|token|bearer|(api|access|auth|private|secret)[_-]?key))s? /&\nV/Ig
s/(--no-[a-z-]{1,40} )\nV/\1/Ig
s/\nV([ \t-]|$)/\1/g
s#((^|[^a-z/])(pass(code)?|pw?d)|(^|[^/]|(^|[ \t])/)passw(or)?[dt]|(db|pg|ssh|my|ftp|smtp|mail|ldap|bind|proxy|user|root|admin|login|sudo|key|store|trust)pass|pass[_-]?phrase|-Dpwd|secret|token|credential|(^|[^a-z])(creds?|jwt|senha)|signature|_auth|(api|access|account|auth|encryption|master|private|secret|session|shared|signing)[_-]?key|sess(ion)?id|[?&;]sig|mot_?de_?passe|contrase(n|ñ|\\u00f1)a|wachtwoord|пароль|\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c)[s0-9]?(_base|_hash|_value)?(\\?["']|\nB")? ?[:=]>? ?(\nB")?#&\nV#Ig
s/[a-z0-9]P(ass|wd)[0-9]?(\\?["']|\nB")? ?[:=]>? ?(\nB")?/&\nV/g
s/(\nB")(\nV)+/\1\nS/g

# What has such a name only now and then, and looks made by a machine: 8 letters and digits or more, no number.
s/(^|[^a-z0-9])((key|pw)=|--?(key|auth|pin|pw)[ =]|bearer )(\\?["'])?/&\nK/Ig
/\nK/{
    s/\nK\nV/\nV/g
    s/(-pin[ =])\nK([0-9]{4,12}([^0-9]|$))/\1\nV\2/Ig
    s#(bearer )\nK([a-z0-9._~+/-]{20})#\1\nV\2#Ig
    s/\nK(0x|[0-9a-f]{1,16}([^a-z0-9+_-]|$))/\1/Ig
    s/\nK([a-z0-9+_-]{0,64}([a-z][0-9]|[0-9][a-z]))/\nL\1/Ig
    s/\nL([a-z0-9+_=-]{8,200}([] \t\n;&,"'}]|$))/\nV\1/Ig
}

# Authorization: Bearer abc, Cookie: a=b; c=d
s/((^|[^a-z])authorization(\\?["']|\nB")? ?[:=] ?(\nB")?((basic|bearer|token|negotiate|ntlm) )?)(\n[KV])?/\1\nV/Ig
s/((\nV)(digest|aws4-hmac-sha256)|(digest )username=|(aws4-hmac-sha256 )credential=)[^\t\n]*/\3\4\5 ***/Ig
s/((^|[^a-z])cookie: ?)[^ =\t\n]{1,100}=[^\t\n]*/\1***/Ig

# Options that say nothing by their names. A number behind -p is a port or a process, a path one to be made.
s/(mysql[a-z]{0,8}|mariadb[a-z-]{0,12}|sshpass)(( [^ \t\n]{1,80}){0,12} -p)([^ \t\n:/]{1,80}([ \t\n]|$))/\1\2\nV\4/g
/mysql|mariadb|mongo|sshpass|cqlsh|rabbitmqadmin|rdesktop|7z|rar|user(add|mod)| login /I s#( -p ?)([^] \t\n0-9/-]|[0-9]{1,20}[^] \t\n0-9:/.])#\1\nV\2#g
/curl|wget/I s/( (-[a-z]{0,6}[uU]|--(proxy-)?user)[ =]?[^: \t\n]{0,100}:)/\1\nV/Ig
/redis-cli|ldap|ipmitool|sqlcmd|zip|smbclient|snmp|ssh-keygen|freerdp|net use|openssl|htpasswd|expect|kinit|sudo|passwd|cryptsetup|login/I{
    /redis-cli/ s/( -a )/\1\nV/g
    /ldap[a-z]{3,9} / s/( -w ?)([^ \t\n-])/\1\nV\2/g
    /ipmitool|sqlcmd|(^|[^a-z])(un)?zip / s/( -P ?)([^ \t\n-])/\1\nV\2/g
    /smbclient/ s/( -U ?[^% \t\n]{1,100}%)/\1\nV/g
    /snmp(bulk)?(get|getnext|walk|set|table|trap|inform|status)/ s#( -[cAX] ?)([^ \t\n/-])#\1\nV\2#g
    /ssh-keygen/ s/( -[NP] )([^ \t\n-])/\1\nV\2/g
    /freerdp/ s#( /p:)#\1\nV#g
    /net use/I s#( /user:[^ \t\n]{1,100} )([^ \t\n/])#\1\nV\2#Ig
    s/(openssl [a-z0-9-]{1,30}( [^ \t\n]{1,80}){0,8} -k )([^ \t\n-])/\1\nV\3/g
    s/(htpasswd( -[a-zA-Z]{1,8}){0,4} -[a-zA-Z]{0,6}b[a-zA-Z]{0,6} [^ \t\n]{1,100} [^ \t\n]{1,100} )/\1\nV/g
    /expect -/ s/( ['"]?send (-- )?)(\\?["'])?/\1\nV\3/g
    /kinit|sudo|passwd|cryptsetup/ s/( <<< ?)/\1\nV/g
    /kinit|sudo|passwd|cryptsetup|login/ s/((echo|printf) (-[neE]{1,3} )?)([^|\t\n]{1,100}[|] ?(sudo )?((ch)?passwd|kinit|cryptsetup|sudo -S|docker login|podman login))/\1\nV\4/g
}

# No secret is a count, a path, a state.
/\nV/{
    s#((pass(code)?|pwd|secret|token|key|creds?|credential|signature|auth|sig)(\\?["']|\nB")? ?[:= ] ?)\nV([0-9]{1,3}([^a-z0-9_.-]|$))#\1\5#Ig
    s#((tokens|secrets|passwords|passwds|keys|creds|credentials|signatures|sess(ion)?ids?)(\\?["']|\nB")? ?[:=] ?)\nV([0-9]{1,15}(\.[0-9]{1,9})?[a-z%]{0,3}([^a-z0-9_.-]|$))#\1\5#Ig
    s#(/[^] \t\n/:=]{1,60}[:=] ?)\nV([0-9]{1,15}([^a-z0-9_.-]|$))#\1\2#Ig
    s#((pass|pwd|secret|token|key|creds?|credential|signature|auth)s?[:= ] ?)\nV("?[~.]{0,2}/(etc|var|run|usr|home|root|opt|srv|tmp|proc|dev|mnt|sys|data)/)#\1\3#Ig
    s#((^|[^a-z_])pwd[:=] ?)\nV("?[/~.$])#\1\3#Ig
    s#([:= ] ?)\nV((true|false|yes|no|none|null|nil|on|off|ok|unset|empty|invalid|expired|missing|required|enabled|disabled|failed|changed|unknown|basic|sys|krb5[ip]?)([^a-z0-9_.-]|$))#\1\2#Ig
}

t redact
:redact
# scheme://user:password@
s#(://[^][/:@ \t\n]*:)[^/ \t\n]+@#\1***@#g
s#(://[^][/:@ \t\n]*:)[0-9]{0,20}[^]0-9/@ \t\n][^@ \t\n]{0,100}@#\1***@#g
s#(https?://)[a-z_-]{0,80}[0-9]{1,20}[a-z_-][a-z0-9_-]{4,80}@#\1***@#Ig
s/A(KI|SI|RO|ID)A[A-Z0-9]{16}/***/g
s/eyJ[A-Za-z0-9_-]{10}[A-Za-z0-9_.=-]*/***/g
s/(gh[oprsu]_|github_pat_|gl(pat|dt|rt|ptt|cbt|soat|ft|imt|agent)-|xox[abeoprs]-|xapp-|[rs]k_live_|AIza|hvs\.|npm_)[A-Za-z0-9_-]{10}[A-Za-z0-9_.-]*/\1***/g
s/((^|[^A-Za-z0-9])sk-)[A-Za-z0-9_-]{10}[A-Za-z0-9_.-]*/\1***/g
s/(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)[^\t\n]+/\1***/g
s/\nS[^\n]+/***/g
s/\nV("[^"\t\n]*|\\"[^"\t\n]*|'[^'\t\n]*|[^ \t\n])[^ \t\n]*/***/g
t changed
s/\n[BKLSV]//g
b pem

:changed
s/\n[BKLSV]//g
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
